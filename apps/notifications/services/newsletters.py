"""Sending a newsletter: one row a subscriber, then one message a row."""

from __future__ import annotations

from contextlib import suppress

from django.db import transaction
from django.utils import timezone

from config.limits import NEWSLETTER_CHUNK
from tasks.enqueue.outbox import publish

from ..errors import NoAddress, NotSubscribed
from ..models import Newsletter, NewsletterCopy, Subscription
from ..selectors import newsletter_copies_waiting, subscription_active
from .mailing import mail_send, mail_send_once, mail_take_up
from .subscriptions import unsubscribe_url


@transaction.atomic
def newsletter_release(*, newsletter_id: int) -> None:
    """Send the newsletter. Asked for again, it sends the copies that have not gone out. Raises DoesNotExist."""
    newsletter = Newsletter.objects.select_for_update().get(pk=newsletter_id)
    if newsletter.released_at is None:
        newsletter.released_at = timezone.now()
        newsletter.save(update_fields=["released_at"])
    publish("notifications.send_newsletter", newsletter_id=newsletter_id)


@transaction.atomic
def newsletter_fan_out(*, newsletter_id: int, after_id: int) -> None:
    """Publish the next NEWSLETTER_CHUNK copies above the id *after_id*, and what comes after them as a job of its own.

    Run again, it publishes again whatever has not gone out; each copy's row lets one mail through.
    """
    if after_id == 0:
        _copies_create(newsletter_id)
    copies = newsletter_copies_waiting(newsletter_id=newsletter_id, after_id=after_id, most=NEWSLETTER_CHUNK)
    for copy_id in copies:
        publish("notifications.send_newsletter_copy", copy_id=copy_id)
    if len(copies) == NEWSLETTER_CHUNK:
        publish("notifications.send_newsletter", newsletter_id=newsletter_id, after_id=copies[-1])


def _copies_create(newsletter_id: int) -> None:
    newsletter = Newsletter.objects.get(pk=newsletter_id)
    subscribers = Subscription.objects.filter(ended_at=None, started_at__lte=newsletter.released_at)
    copies = (
        NewsletterCopy(newsletter=newsletter, user_id=user_id)
        for user_id in subscribers.order_by("user_id").values_list("user_id", flat=True)
    )
    NewsletterCopy.objects.bulk_create(copies, batch_size=1000, ignore_conflicts=True)


def newsletter_copy_send(*, copy_id: int) -> None:
    """Send one copy unless it has gone out or its subscriber has left.

    Raises what `mail_send` raises, and NoAddress.
    """
    with suppress(NotSubscribed):  # kept on the row; nobody failed
        mail_send_once(rows=NewsletterCopy.objects.select_related("newsletter", "user"), pk=copy_id, send=_send)


def newsletter_copy_take_up(*, copy_id: int) -> None:
    """Let one copy be tried once more, though it was refused."""
    mail_take_up(rows=NewsletterCopy.objects.filter(pk=copy_id))


def _send(copy: NewsletterCopy) -> None:
    user = copy.user
    if not subscription_active(user_id=user.pk):
        raise NotSubscribed(user.get_username())
    if not user.email:
        raise NoAddress(user.get_username())
    url = unsubscribe_url(user_id=user.pk)
    mail_send(
        to=user.email,
        subject=copy.newsletter.subject,
        body=f"{copy.newsletter.body}\n\n-- \nYou get this because you subscribed. To end that: {url}\n",
        key=f"newsletter-{copy.newsletter_id}-{user.pk}",
        headers={
            "List-Unsubscribe": f"<{url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",  # RFC 8058: mail programs POST to the URL
            "Precedence": "bulk",
        },
    )
