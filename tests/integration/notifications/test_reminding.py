"""Reminders: published when due soon, sent once, found again when their job has died."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from apps.notifications.errors import DueOutOfRange, MailServerAway, NoAddress
from apps.notifications.models import Reminder
from apps.notifications.services.reminding import reminder_create, reminder_send, reminders_delete_old
from apps.notifications.tasks import publish_reminders, send_reminder
from config.limits import REMINDER_HORIZON, REMINDER_KEPT_FOR, REMINDER_MOST_AHEAD, REMINDER_MOST_LATE
from config.queues import LOW
from tasks.enqueue.models import OutboxMessage
from tests.concurrency import at_once
from tests.servers.mail import MailServer
from tests.servers.messages import Waiting, messages_take

MINUTE = timedelta(minutes=1)


def remind(user: User, due_in: timedelta) -> Reminder:
    return reminder_create(user=user, text="Water the rootstocks", due_at=timezone.now() + due_in)


def published() -> list[Waiting]:
    """What a run of the sweep publishes."""
    messages_take(LOW)
    publish_reminders()
    return messages_take(LOW)


def test_one_that_is_due_soon_wakes_the_sweep(ada: User, clean_broker: str) -> None:
    """Nobody waits for the next tick."""
    remind(ada, timedelta(seconds=5))
    assert [message.task for message in messages_take(LOW)] == ["notifications.publish_reminders"]
    remind(ada, REMINDER_HORIZON + MINUTE)
    assert messages_take(LOW) == []


def test_the_message_carries_the_moment_it_is_due_as_its_eta(ada: User, clean_broker: str) -> None:
    """A worker holds it until then."""
    reminder = remind(ada, MINUTE)
    (message,) = published()
    assert (message.task, message.args) == ("notifications.send_reminder", [reminder.pk])
    assert message.eta is not None
    assert datetime.fromisoformat(message.eta) == reminder.due_at


def test_each_is_published_once_and_one_far_ahead_waits_in_the_table(ada: User, clean_broker: str) -> None:
    """A message that waits longer than the visibility timeout would be delivered over and over."""
    remind(ada, MINUTE)
    far = remind(ada, REMINDER_HORIZON + MINUTE)
    assert len(published()) == 1
    assert published() == []
    Reminder.objects.filter(pk=far.pk).update(due_at=timezone.now() + REMINDER_HORIZON - MINUTE)
    assert [message.args for message in published()] == [[far.pk]]


def test_one_whose_job_has_died_gets_another(ada: User, clean_broker: str) -> None:
    """The mail server was away for longer than the job's retries last. One that goes on gets no second one."""
    reminder = remind(ada, MINUTE)
    jobs = OutboxMessage.objects.filter(name=send_reminder.name)
    for ended, known in ((False, 1), (True, 2), (False, 2)):
        Reminder.objects.update(due_at=timezone.now() - 10 * MINUTE, published_at=timezone.now() - 10 * MINUTE)
        if ended:
            jobs.update(state="dead", finished_at=timezone.now())
        publish_reminders()
        assert jobs.count() == known
    Reminder.objects.filter(pk=reminder.pk).update(sent_at=timezone.now())
    jobs.update(state="dead", finished_at=timezone.now())
    publish_reminders()
    assert jobs.count() == 2


def test_more_than_one_look_can_take_are_left_to_the_next(
    ada: User, clean_broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look has a time limit."""
    monkeypatch.setattr("apps.notifications.tasks.REMINDERS_AT_ONCE", 2)
    reminders = [remind(ada, MINUTE * (3 - number)) for number in range(3)]
    soonest_first = [[reminder.pk] for reminder in reversed(reminders)]
    *first, again = published()
    assert [message.args for message in first] == soonest_first[:2]
    assert again.task == "notifications.publish_reminders"
    assert [message.args for message in published()] == soonest_first[2:]


def test_one_that_is_a_day_late_is_given_up(ada: User, clean_broker: str) -> None:
    """A reminder of last week's appointment helps nobody."""
    remind(ada, MINUTE)
    Reminder.objects.update(due_at=timezone.now() - REMINDER_MOST_LATE - MINUTE)
    assert published() == []


def test_many_deliveries_send_one_mail(ada: User, clean_broker: str, mail_server: MailServer) -> None:
    """With Redis a countdown longer than the visibility timeout is delivered several times."""
    reminder = remind(ada, MINUTE)
    assert at_once(6, lambda: send_reminder(reminder.pk)) == [None] * 6
    assert mail_server.recipients == ["ada@example.com"]
    assert "Water the rootstocks" in mail_server.mails[0].get_content()


def test_one_that_the_mail_server_would_not_take_now_stays_waiting(
    ada: User, clean_broker: str, mail_server: MailServer
) -> None:
    """The retry, or the sweep, sends it."""
    reminder = remind(ada, MINUTE)
    mail_server.answers = {"ada@example.com": "421 closing"}
    with pytest.raises(MailServerAway):
        reminder_send(reminder_id=reminder.pk)
    reminder.refresh_from_db()
    assert reminder.is_waiting


def test_the_past_and_the_far_future_are_refused(ada: User, clean_broker: str) -> None:
    """Neither can be meant."""
    for due_in in (-MINUTE, REMINDER_MOST_AHEAD + MINUTE):
        with pytest.raises(DueOutOfRange, match="within the next 366 days"):
            remind(ada, due_in)
    assert Reminder.objects.count() == 0


def test_an_account_without_address_can_not_be_reminded(transactional_db: None) -> None:
    """It is said where it is asked for."""
    with pytest.raises(NoAddress):
        remind(User.objects.create_user("nobody"), MINUTE)


def test_old_reminders_are_deleted(ada: User, clean_broker: str) -> None:
    """The table doesn't grow for ever."""
    remind(ada, MINUTE)
    old = remind(ada, MINUTE)
    Reminder.objects.filter(pk=old.pk).update(due_at=timezone.now() - REMINDER_KEPT_FOR - MINUTE)
    assert reminders_delete_old() == 1
    assert Reminder.objects.exclude(pk=old.pk).count() == 1
