"""Mail as tasks. Each takes an id; the row behind it lets one mail through, whatever is delivered how often."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import OperationalError

from config.limits import REMINDERS_AT_ONCE
from tasks import RetryPolicy, Unique, task
from tasks.enqueue.outbox import enqueue

from .selectors import reminders_to_publish
from .services import newsletters, reminding, welcoming

# A mail server may be away for half an hour.
MAIL_RETRY = RetryPolicy(max_retries=8, first=timedelta(seconds=10), cap=timedelta(minutes=20))
# A second delivery waits for the first one's row lock, and no longer than `lock_timeout`.
LOCKED = (OperationalError,)
LIMIT = timedelta(seconds=60)


def take_up_welcome(letter: Any, arguments: dict[str, Any]) -> None:
    """It is redriven: what had refused it has been put right."""
    welcoming.welcome_take_up(user_id=arguments["user_id"])


def take_up_reminder(letter: Any, arguments: dict[str, Any]) -> None:
    """The same."""
    reminding.reminder_take_up(reminder_id=arguments["reminder_id"])


def take_up_copy(letter: Any, arguments: dict[str, Any]) -> None:
    """The same."""
    newsletters.newsletter_copy_take_up(copy_id=arguments["copy_id"])


@task("notifications.send_welcome", time_limit=LIMIT, retry=MAIL_RETRY, retry_on=LOCKED, on_redrive=take_up_welcome)
def send_welcome(user_id: int) -> None:
    """Greet a new account."""
    welcoming.welcome_send(user_id=user_id)


@task(
    "notifications.send_reminder",
    time_limit=LIMIT,
    retry=MAIL_RETRY,
    retry_on=LOCKED,
    on_redrive=take_up_reminder,
    unique=Unique(by=("reminder_id",)),  # one that waits for the mail server gets no second job at each look
)
def send_reminder(reminder_id: int) -> None:
    """Remind somebody. Published with the moment it is due as its ETA."""
    reminding.reminder_send(reminder_id=reminder_id)


@task("notifications.publish_reminders", time_limit=LIMIT, retry_on=LOCKED)
def publish_reminders() -> None:
    """Publish the reminders that are due soon, and again those whose job has died."""
    reminders = list(reminders_to_publish()[:REMINDERS_AT_ONCE])
    for reminder in reminders:
        enqueue(send_reminder.si(reminder.pk).set(eta=reminder.due_at))
    reminding.reminders_published(reminder_ids=[reminder.pk for reminder in reminders])
    if len(reminders) == REMINDERS_AT_ONCE:
        publish_reminders.enqueue()


@task("notifications.send_newsletter", time_limit=timedelta(minutes=5), retry_on=LOCKED)
def send_newsletter(newsletter_id: int, after_id: int = 0) -> None:
    """Publish a newsletter's copies, a chunk at a time."""
    newsletters.newsletter_fan_out(newsletter_id=newsletter_id, after_id=after_id)


@task(
    "notifications.send_newsletter_copy", time_limit=LIMIT, retry=MAIL_RETRY, retry_on=LOCKED, on_redrive=take_up_copy
)
def send_newsletter_copy(copy_id: int) -> None:
    """Send one subscriber's copy."""
    newsletters.newsletter_copy_send(copy_id=copy_id)


@task("notifications.delete_old_reminders", time_limit=LIMIT, retry_on=LOCKED)
def delete_old_reminders() -> None:
    """Delete reminders long gone by."""
    reminding.reminders_delete_old()
