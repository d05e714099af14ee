"""Reading reminders, subscriptions and newsletters."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from django.contrib.auth.models import User
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from config.limits import REMINDER_HORIZON, REMINDER_MOST_LATE, REMINDER_OVERDUE_AFTER

from .models import WAITING, Newsletter, Reminder, Subscription

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations


def reminder_list(*, user: User) -> QuerySet[Reminder]:
    """The user's own reminders, by when they are due."""
    return Reminder.objects.filter(user=user)


def reminders_to_publish() -> QuerySet[Reminder]:
    """The reminders whose message must go to the broker now.

    That is: due within REMINDER_HORIZON and never published, or overdue and still not sent; one whose job goes on gets
    no other. The soonest first.
    """
    now = timezone.now()
    near = Q(published_at=None, due_at__lte=now + REMINDER_HORIZON)
    overdue = Q(published_at__lte=now - REMINDER_OVERDUE_AFTER, due_at__lte=now - REMINDER_OVERDUE_AFTER)
    due = Reminder.objects.filter(WAITING, near | overdue, due_at__gte=now - REMINDER_MOST_LATE)
    return due.order_by("due_at", "pk")


def subscription_active(*, user_id: int) -> bool:
    """Whether the user wants the newsletter."""
    return Subscription.objects.filter(user_id=user_id, ended_at=None).exists()


class CopyCounts(TypedDict):
    """How far a newsletter has come."""

    copies_sent: int
    copies_refused: int
    copies_waiting: int


if TYPE_CHECKING:
    CountedNewsletter = WithAnnotations[Newsletter, CopyCounts]


def newsletter_list() -> QuerySet[CountedNewsletter]:
    """Newsletters, newest first, each with its CopyCounts."""
    return Newsletter.objects.annotate(
        copies_sent=Count("copies", filter=Q(copies__sent_at__isnull=False)),
        copies_refused=Count("copies", filter=Q(copies__refusal__gt="")),
        copies_waiting=Count("copies", filter=Q(copies__sent_at=None, copies__refusal="")),
    )


def newsletter_copies_waiting(*, newsletter_id: int, after_id: int, most: int) -> list[int]:
    """Ids above *after_id* of copies that are still to be sent, in order, at most so many."""
    newsletter = Newsletter.objects.get(pk=newsletter_id)
    waiting = newsletter.copies.filter(WAITING, pk__gt=after_id).order_by("pk")
    return list(waiting.values_list("pk", flat=True)[:most])
