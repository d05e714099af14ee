"""A lock is freed when its job begins or ends, whatever the end, and is as good as free when its holder vanished."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.db import connection, transaction
from django.utils import timezone

from tasks import JobStatus, Permanent, cancel, status
from tasks.enqueue import relay
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.relay import Relay
from tasks.enqueue.unique_locks import locks_prune
from tasks.enqueue.unique_models import UniqueLock
from tests.concurrency import at_once
from tests.integration.tasks.main_process import Held
from tests.integration.tasks.uniqueness import sample_unique as sample
from tests.integration.tasks.uniqueness.deliveries import carry_out, deliver, sent

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean_broker", "runs")]
each = pytest.mark.parametrize("task", sample.ALL, ids=sample.name_of)
each_until_started = pytest.mark.parametrize(
    "task", [sample.skip_until_started, sample.replace, sample.debounce], ids=sample.name_of
)


def die(task_id: str) -> None:
    """It fails for good."""

    def fail(*_: Any) -> None:
        raise Permanent("never")

    sample.during.append(fail)
    assert carry_out(task_id) == "Permanent"
    sample.during.clear()


def be_set_aside(task_id: str) -> None:
    """The broker refuses its message."""
    OutboxMessage.objects.filter(task_id=task_id).update(state="queued", properties={"routing_key": "twice"})
    with Relay(current_app) as relay:
        assert [refused[1] for refused in relay.send_batch().refused] == [task_id]


def be_cancelled(task_id: str) -> None:
    """Somebody gives it up."""
    assert cancel(task_id)


def be_revoked(task_id: str) -> None:
    """Celery's own `revoke`: the worker drops its message."""
    held(task_id).be_dropped()


def expire(task_id: str) -> None:
    """It came too late."""
    held(task_id).be_dropped(expired=True)


def be_terminated(task_id: str) -> None:
    """Celery's `revoke(terminate=True)`, while it runs."""
    message = held(task_id)
    OutboxMessage.objects.filter(task_id=task_id).update(state="started", started_at=timezone.now())
    message.be_dropped(terminated=True)


def held(task_id: str) -> Held:
    """Its message, sent, in a worker's hands."""
    sent(task_id)
    return Held(task_id)


UNSUCCESSFUL = (die, be_set_aside, be_cancelled, be_revoked, expire, be_terminated)


@each
def test_success_frees_it_unless_it_is_held_for_a_period(task: Any) -> None:
    first = task.enqueue(1)
    assert carry_out(first) == "returned"

    assert UniqueLock.objects.count() == int(task is sample.skip_for_an_hour)
    assert (task.enqueue(1) == first) == (task is sample.skip_for_an_hour)


@each
@pytest.mark.parametrize("end", UNSUCCESSFUL, ids=lambda end: end.__name__)
def test_any_other_end_frees_it(task: Any, end: Callable[[str], None]) -> None:
    """Even within a period: the work was not done."""
    first = task.enqueue(1)
    end(first)

    assert status(first) in (JobStatus.DEAD, JobStatus.CANCELLED)
    assert not UniqueLock.objects.exists()
    assert task.enqueue(1) != first


@each_until_started
def test_until_started_frees_it_when_the_job_begins_and_its_retries_take_nothing_back(task: Any) -> None:
    first = task.enqueue(1)
    seen: list[int] = []

    def fail(*_: Any) -> None:
        seen.append(UniqueLock.objects.count())
        raise sample.TRANSIENT

    sample.during.append(fail)
    assert carry_out(first) == "Retry"
    assert status(first) is JobStatus.RETRYING
    second = task.enqueue(1)
    assert second != first
    assert seen == [0]
    assert carry_out(first) == "Retry"
    assert UniqueLock.objects.get().owner == second


def test_until_finished_a_job_that_is_to_be_tried_again_keeps_it() -> None:
    first = sample.skip_until_finished.enqueue(1)

    def fail(*_: Any) -> None:
        raise sample.TRANSIENT

    sample.during.append(fail)
    assert carry_out(first) == "Retry"
    assert sample.skip_until_finished.enqueue(1) == first
    sample.during.clear()
    assert carry_out(first) == "returned"
    assert sample.skip_until_finished.enqueue(1) != first


def test_a_period_begins_with_the_enqueue_and_ends_by_itself() -> None:
    """However long the job takes: it may even be waiting still."""
    first = sample.skip_for_an_hour.enqueue(1)
    expires_at = UniqueLock.objects.get().expires_at
    assert expires_at
    assert abs(expires_at - timezone.now() - sample.HOUR) < timedelta(seconds=10)
    UniqueLock.objects.update(expires_at=timezone.now())
    second = sample.skip_for_an_hour.enqueue(1)

    assert second != first
    assert carry_out(first) == "returned"
    assert sample.skip_for_an_hour.enqueue(1) == second


@each
@pytest.mark.parametrize("left", ["its row pruned", "ended without release"])
def test_a_holder_that_vanished_keeps_nobody_out(task: Any, left: str) -> None:
    """Not even for a moment: whoever enqueues next takes the lock over."""
    first = task.enqueue(1)
    if left == "its row pruned":
        OutboxMessage.objects.all().delete()
        UniqueLock.objects.filter(until="period").update(expires_at=timezone.now())
    else:
        OutboxMessage.objects.update(state="dead", finished_at=timezone.now())
    second = task.enqueue(1)

    assert second != first
    assert UniqueLock.objects.get().owner == second
    assert (status(second), task is sample.refuse or task.enqueue(1) == second) == (JobStatus.QUEUED, True)


def test_a_late_copy_of_a_job_that_has_ended_frees_nobody_elses_lock() -> None:
    first = sample.skip_until_finished.enqueue(1)
    copy = sent(first)
    assert deliver(copy) == "returned"
    second = sample.skip_until_finished.enqueue(1)

    assert deliver(copy) == "Ignore"
    assert UniqueLock.objects.get().owner == second


def test_an_end_that_is_rolled_back_frees_nothing() -> None:
    first = sample.skip_until_finished.enqueue(1)
    with transaction.atomic():
        assert cancel(first)
        transaction.set_rollback(True)
    assert sample.skip_until_finished.enqueue(1) == first


def test_locks_that_are_as_good_as_free_are_pruned_and_no_others() -> None:
    """Periods above all: a key that nobody asks for again would stay for ever."""
    held = {task.enqueue(1) for task in sample.ALL}
    over = sample.skip_for_an_hour.enqueue(2)
    UniqueLock.objects.filter(owner=over).update(expires_at=timezone.now())
    gone = [sample.skip_until_finished.enqueue(number) for number in range(2, 6)]
    OutboxMessage.objects.filter(task_id__in=gone).delete()

    assert locks_prune(limit=3) == 3
    assert locks_prune(limit=3) == 2
    assert locks_prune(limit=3) == 0
    assert set(UniqueLock.objects.values_list("owner", flat=True)) == held


@each_until_started
def test_a_job_does_not_begin_before_those_end_who_rely_on_it(task: Any) -> None:
    """They were told that it waits; so it must see what they are about to commit."""
    first = task.enqueue(1)
    message = sent(first)
    with transaction.atomic():
        assert task.enqueue(1) == first
        (kept_waiting,) = at_once(1, lambda: impatiently(message))
        assert status(first) is JobStatus.QUEUED
    assert kept_waiting == "Reject"
    assert carry_out(first) == "returned"


def test_a_relay_waits_for_nobody_who_relies_on_what_it_can_not_send(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends the others, and sets it aside when they have ended."""
    monkeypatch.setattr(relay, "ROW_WAIT", timedelta(0))
    first = sample.skip_until_started.enqueue(1)
    other = sample.skip_until_started.enqueue(2)
    OutboxMessage.objects.update(state="queued")
    OutboxMessage.objects.filter(task_id=first).update(properties={"routing_key": "twice"})

    def send() -> tuple[int, list[str]]:
        with connection.cursor() as cursor, Relay(current_app) as sends:
            cursor.execute("SET lock_timeout = '50ms'")
            sent_now = sends.send_batch()
        return sent_now.sent, [task_id for _, task_id, _ in sent_now.refused]

    with transaction.atomic():
        assert sample.skip_until_started.enqueue(1) == first
        assert at_once(1, send) == [(1, [])]
    assert (status(first), status(other)) == (JobStatus.QUEUED, JobStatus.QUEUED)
    assert send() == (0, [first])
    assert status(first) is JobStatus.DEAD


def test_until_finished_nobody_is_kept_waiting() -> None:
    """It may have begun anyway; so its beginning and its end wait for no caller."""
    first = sample.skip_until_finished.enqueue(1)
    message = sent(first)
    with transaction.atomic():
        assert sample.skip_until_finished.enqueue(1) == first
        assert at_once(1, lambda: impatiently(message)) == ["returned"]


def impatiently(message: dict[str, Any]) -> str:
    """Deliver, but wait no longer than 50 ms for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
    return deliver(message)
