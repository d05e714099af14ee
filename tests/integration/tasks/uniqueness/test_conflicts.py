"""Of the jobs that mean the same, one is there; and what a call does that finds it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from tasks import AlreadyBegun, AlreadyEnqueued, JobStatus, Transient, publish, status
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.outbox import enqueue
from tasks.enqueue.unique_models import UniqueLock
from tests.concurrency import at_once
from tests.integration.tasks.uniqueness import sample_unique as sample
from tests.integration.tasks.uniqueness.deliveries import carry_out, deliver, sent

pytestmark = pytest.mark.django_db(transaction=True)
each = pytest.mark.parametrize("task", sample.ALL, ids=sample.name_of)
each_skipping = pytest.mark.parametrize("task", sample.SKIPPING, ids=sample.name_of)
each_replacing = pytest.mark.parametrize("task", sample.REPLACING, ids=sample.name_of)
SECOND = timedelta(seconds=1)


def comment_of(task_id: str) -> str:
    """The argument that the job's message carries now."""
    args, kwargs, _ = json.loads(OutboxMessage.objects.get(task_id=task_id).body)
    return str({**dict(zip(("user_id", "comment"), args, strict=False)), **kwargs}["comment"])


@each_skipping
def test_skip_returns_the_id_of_the_job_that_is_there(task: Any) -> None:
    first = task.enqueue(1, "first")

    assert task.enqueue(1, "second") == first
    assert publish(task.name, user_id=1, comment="third") == first
    assert comment_of(first) == "first"
    assert OutboxMessage.objects.count() == 1


@each
def test_another_value_another_task_another_job(task: Any) -> None:
    """What *by* doesn't name tells nothing apart; what it names does, of each task for itself."""
    ids = {task.enqueue(1), task.enqueue(2), sample.plain.enqueue(1), sample.plain.enqueue(1)}

    assert len(ids) == 4
    assert UniqueLock.objects.filter(name=task.name).count() == 2


def test_however_the_arguments_are_given_they_are_the_same() -> None:
    """By place, by name, or by default."""
    first = sample.skip_until_finished.enqueue(1)

    assert sample.skip_until_finished.enqueue(user_id=1, comment="") == first
    assert enqueue(sample.skip_until_finished.s(1)) == first


def test_unique_by_nothing_is_one_job_of_the_task() -> None:
    assert sample.one_at_all.enqueue(1) == sample.one_at_all.enqueue(2)


def test_raise_names_the_owner_and_leaves_the_callers_transaction_usable() -> None:
    """The caller may go on, and commit what it has written besides."""
    with transaction.atomic():
        owner = sample.refuse.enqueue(1)
        with pytest.raises(
            AlreadyEnqueued, match=f"unique_test.refuse is enqueued already for .* as {owner}"
        ) as refused:
            sample.refuse.enqueue(1, "again")
        other = sample.refuse.enqueue(2)
    assert (refused.value.owner, refused.value.arguments) == (owner, '{"user_id": 1}')
    assert [status(task_id) for task_id in (owner, other)] == [JobStatus.QUEUED] * 2


def test_the_same_job_enqueued_twice_is_no_conflict() -> None:
    """A task id that the caller chose makes a call that is made again the same job."""
    assert sample.refuse.enqueue(1, task_id="chosen") == sample.refuse.enqueue(1, task_id="chosen") == "chosen"


@each_replacing
def test_replace_and_debounce_give_the_waiting_job_the_newest_arguments(task: Any, runs: list[Any]) -> None:
    """It stays one job under one id."""
    first = task.enqueue(1, "first")

    assert task.enqueue(1, "second") == first
    assert (comment_of(first), OutboxMessage.objects.count()) == ("second", 1)
    assert carry_out(first) == "returned"
    assert runs == [(first, "second")]


@each_replacing
def test_a_message_that_was_sent_already_is_void_when_its_job_was_given_new_arguments(
    task: Any, runs: list[Any]
) -> None:
    """It is in the broker and can't be taken back: the worker that gets it drops it."""
    job = task.enqueue(1, "old")
    old = sent(job)
    task.enqueue(1, "new", countdown=0)

    assert OutboxMessage.objects.get().state in ("queued", "scheduled")
    assert deliver(old) == "Ignore"
    assert carry_out(job) == "returned"
    assert deliver(old) == "Ignore"
    assert runs == [(job, "new")]
    assert status(job) is JobStatus.SUCCEEDED


@each_replacing
def test_new_arguments_outlive_a_retry(task: Any, runs: list[Any]) -> None:
    """The next attempt's message is one of the same edition; a late copy of the first stays void."""
    job = task.enqueue(1, "old")
    old = sent(job)
    task.enqueue(1, "new")

    def fail(*_: Any) -> None:
        if len(runs) == 1:
            raise Transient("not yet")

    sample.during.append(fail)
    assert carry_out(job) == "Retry"
    assert deliver(old) == "Ignore"
    assert carry_out(job) == "returned"
    assert runs == [(job, "new"), (job, "new")]


@pytest.mark.usefixtures("runs")
def test_a_job_that_has_begun_takes_no_new_arguments_and_says_so() -> None:
    """They would be lost in silence otherwise."""
    owner = sample.replace_until_finished.enqueue(1)
    refused: list[Any] = []
    sample.during.append(lambda *_: refused.extend(at_once(1, lambda: sample.replace_until_finished.enqueue(1, "new"))))

    assert carry_out(owner) == "returned"
    assert isinstance(refused[0], AlreadyBegun)
    assert refused[0].owner == owner
    assert "declare it unique until='started'" in str(refused[0])


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("task", [sample.skip_until_started, sample.replace, sample.debounce], ids=sample.name_of)
def test_until_started_the_next_job_is_written_beside_the_one_that_runs(task: Any) -> None:
    owner = task.enqueue(1)
    beside: list[Any] = []
    sample.during.append(lambda *_: beside.extend(at_once(1, lambda: task.enqueue(1, "new"))))

    assert carry_out(owner) == "returned"
    assert beside[0] != owner
    assert status(beside[0]) is JobStatus.QUEUED


def test_replace_leaves_the_job_due_when_it_was() -> None:
    job = sample.replace.enqueue(1, "first", countdown=60)
    due_at = OutboxMessage.objects.get().due_at
    sample.replace.enqueue(1, "second", countdown=600, priority=9)

    row = OutboxMessage.objects.get(task_id=job)
    assert (row.due_at, row.state, row.priority) == (due_at, "scheduled", 9)


def test_debounce_puts_the_job_off_each_time() -> None:
    """A call without a time of its own waits as long as the task declares."""
    for _ in range(2):
        sample.debounce.enqueue(1)
        row = OutboxMessage.objects.get()
        assert row.state == "scheduled"
        assert abs(row.due_at - timezone.now() - sample.WAIT) < SECOND * 5
        OutboxMessage.objects.update(due_at=timezone.now() + SECOND)
    sample.debounce.enqueue(1, countdown=90)
    assert abs(OutboxMessage.objects.get().due_at - timezone.now() - timedelta(seconds=90)) < SECOND * 5


def test_debounce_puts_the_job_off_to_its_longest_wait_and_no_further() -> None:
    """Calls that never cease must not keep it from running for ever."""
    job = sample.debounce.enqueue(1)
    made_at = timezone.now() - sample.MAX_WAIT + SECOND
    OutboxMessage.objects.update(created_at=made_at)
    sample.debounce.enqueue(1, "late")

    assert OutboxMessage.objects.get(task_id=job).due_at == max(made_at + sample.MAX_WAIT, due_of(job))
    assert comment_of(job) == "late"


def due_of(task_id: str) -> Any:
    """When the job is due."""
    return OutboxMessage.objects.get(task_id=task_id).due_at


def test_a_first_call_for_later_than_the_longest_wait_is_kept_to() -> None:
    """The bound is on what later calls may do."""
    job = sample.debounce.enqueue(1, countdown=3600)
    due_at = due_of(job)
    sample.debounce.enqueue(1, countdown=7200)

    assert due_of(job) == due_at


@each
def test_a_rollback_frees_what_it_took(task: Any) -> None:
    with transaction.atomic():
        undone = task.enqueue(1)
        transaction.set_rollback(True)
    assert status(undone) is JobStatus.UNKNOWN
    assert not UniqueLock.objects.exists()
    assert status(task.enqueue(1)) is JobStatus.QUEUED


@each
def test_a_rollback_to_a_savepoint_frees_what_was_taken_since(task: Any) -> None:
    """And nothing else of the caller's transaction."""
    with transaction.atomic():
        kept = task.enqueue(1)
        with transaction.atomic():
            task.enqueue(2)
            transaction.set_rollback(True)
        again = task.enqueue(2)
    assert {status(kept), status(again)} == {JobStatus.QUEUED}


@each_replacing
def test_a_rollback_gives_the_waiting_job_its_old_arguments_back(task: Any, runs: list[Any]) -> None:
    job = task.enqueue(1, "old")
    message = sent(job)
    with transaction.atomic():
        task.enqueue(1, "new")
        transaction.set_rollback(True)

    assert deliver(message) == "returned"
    assert runs == [(job, "old")]


@each
def test_a_wait_that_takes_too_long_leaves_the_callers_transaction_usable(task: Any) -> None:
    """Somebody else is about to enqueue the same, and doesn't come to an end."""
    with transaction.atomic():
        task.enqueue(1)
        (told,) = at_once(1, lambda: impatiently(task))
    assert told == 0


def impatiently(task: Any) -> int:
    """Wait 50 ms for the lock, then go on in the same transaction; return how many jobs it sees."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '50ms'")
        with pytest.raises(OperationalError, match="lock timeout"):
            task.enqueue(1)
        return OutboxMessage.objects.count()


@each
def test_delay_and_apply_async_are_enqueued_too(task: Any) -> None:
    """Beat calls `apply_async` with a producer of its own; past the outbox there would be two."""
    with transaction.atomic():
        task.delay(1)
        transaction.set_rollback(True)
    assert not OutboxMessage.objects.exists()
    first = task.apply_async((1,), {"comment": "beat"}, producer=object(), priority=7).id
    if task is not sample.refuse:
        assert task.delay(1).id == first
    assert OutboxMessage.objects.values_list("task_id", flat=True).get() == first


def test_a_job_that_runs_inside_its_call_is_never_enqueued() -> None:
    """With `task_always_eager` there is no job to stand for another."""
    current_app.conf.task_always_eager = True
    try:
        assert sample.skip_until_finished.delay(1, "eager").get() == "eager"
        sample.skip_until_finished.enqueue(1)
    finally:
        current_app.conf.task_always_eager = False
    assert not UniqueLock.objects.exists()
