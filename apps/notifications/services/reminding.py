"""Reminders: a row first, a message with an ETA when the moment is near.

A message that waits for its ETA is held by a worker, unacknowledged, and Redis delivers it again each time the
visibility timeout passes. So a reminder is published only when it is due within REMINDER_HORIZON, which is shorter,
and waits in the table until then. The row's lock makes any further delivery harmless.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from config.limits import REMINDER_HORIZON, REMINDER_KEPT_FOR, REMINDER_MOST_AHEAD
from tasks.enqueue.outbox import publish

from ..errors import DueOutOfRange, NoAddress
from ..models import Reminder
from .mailing import mail_send, mail_send_once, mail_take_up


@transaction.atomic
def reminder_create(*, user: User, text: str, due_at: datetime) -> Reminder:
    """Note a reminder for *user*. Raises NoAddress and DueOutOfRange."""
    if not user.email:
        raise NoAddress(user.get_username())
    now = timezone.now()
    if not now <= due_at <= now + REMINDER_MOST_AHEAD:
        raise DueOutOfRange(due_at, REMINDER_MOST_AHEAD)
    reminder = Reminder.objects.create(user=user, text=text, due_at=due_at)
    if due_at <= now + REMINDER_HORIZON:
        publish("notifications.publish_reminders")
    return reminder


def reminders_published(*, reminder_ids: Collection[int]) -> None:
    """Note that their messages are with the broker.

    After the fact: a crash before this publishes them twice, which is harmless; a crash the other way round would lose
    them.
    """
    Reminder.objects.filter(pk__in=reminder_ids).update(published_at=timezone.now())


def reminder_send(*, reminder_id: int) -> None:
    """Send the reminder unless it has gone out. Raises what `mail_send` raises, and NoAddress."""
    mail_send_once(rows=Reminder.objects.select_related("user"), pk=reminder_id, send=_send)


def reminder_take_up(*, reminder_id: int) -> None:
    """Let the reminder be tried once more, though it was refused."""
    mail_take_up(rows=Reminder.objects.filter(pk=reminder_id))


def reminders_delete_old() -> int:
    """Delete the reminders that are over and were due more than REMINDER_KEPT_FOR ago; return how many."""
    return Reminder.objects.filter(due_at__lt=timezone.now() - REMINDER_KEPT_FOR).delete()[0]


def _send(reminder: Reminder) -> None:
    if not reminder.user.email:
        raise NoAddress(reminder.user.get_username())
    mail_send(
        to=reminder.user.email,
        subject="Your reminder",
        body=f"You asked to be reminded:\n\n{reminder.text}\n",
        key=f"reminder-{reminder.pk}",
    )
