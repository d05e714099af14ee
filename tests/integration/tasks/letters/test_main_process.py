"""What a worker's main process alone sees: it is written before the message is acknowledged, and once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from billiard.einfo import ExceptionInfo
from celery.exceptions import Reject, WorkerLostError
from celery.worker import state as worker_state
from django.db import connection
from django.utils import timezone

from tasks import Batch, JobStatus, status
from tasks.enqueue.models import OutboxMessage
from tasks.execution.departure import _tell
from tasks.execution.losses import given_back
from tasks.execution.registrar import registrar
from tasks.failure.letter_models import DeadLetter, JobAttempt
from tests.integration.tasks.letters import mortal
from tests.integration.tasks.main_process import WITHIN, Held
from tests.integration.tasks.uniqueness.deliveries import carry_out, sent

pytestmark = pytest.mark.django_db(transaction=True)

KILLED = "Worker exited prematurely: signal 9 (SIGKILL)."


def held(**options: Any) -> Held:
    """A message of `live`, in the worker's hands."""
    job = mortal.live.enqueue(7, **options)
    sent(job)
    return Held(job)


def told(error: BaseException) -> ExceptionInfo:
    """What the pool tells of a job."""
    try:
        raise error  # noqa: TRY301
    except BaseException:  # noqa: BLE001
        return ExceptionInfo()


def lose_child(message: Held) -> None:
    """The child is killed while it runs the job."""
    OutboxMessage.objects.filter(task_id=message.request.id).update(state="started", started_at=timezone.now())
    message.request.on_failure(told(WorkerLostError(KILLED)))
    message.settle()


@contextmanager
def stopping() -> Iterator[None]:
    """The worker was told to stop."""
    told: Any = worker_state
    told.should_stop = 0
    try:
        yield
    finally:
        told.should_stop = None


def test_a_hard_limit_is_acknowledged_after_it_is_written() -> None:
    """It is noticed twice: when the time is over, and when the child is gone."""
    message = held()
    message.request.on_timeout(False, 10)
    message.request.on_failure(told(WorkerLostError(KILLED)))
    message.settle()

    assert message.is_acknowledged
    assert DeadLetter.objects.get().reason == "hard_limit"
    assert JobAttempt.objects.get().outcome == "failed"


def test_while_the_database_is_away_nothing_is_acknowledged() -> None:
    message = held()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tasks_deadletter RENAME TO away")
    try:
        message.request.on_timeout(False, 10)
        message.settle()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO tasks_deadletter")
    assert not message.is_acknowledged
    assert status(message.request.id) is JobStatus.QUEUED

    again = Held(message.request.id)
    again.request.on_timeout(False, 10)
    again.settle()
    assert again.is_acknowledged
    assert DeadLetter.objects.count() == 1


def test_a_killed_child_is_counted_and_its_job_comes_again_until_it_was_too_often() -> None:
    """Through the outbox, a little later each time."""
    message = held()
    for count in (1, 2):
        before = timezone.now()
        lose_child(message)
        row = OutboxMessage.objects.get(task_id=message.request.id)
        assert (row.state, row.retries, row.due_at > before) == ("scheduled", 0, True)
        assert JobAttempt.objects.filter(outcome="died").count() == count
        message = Held(message.request.id)
    lose_child(message)

    assert DeadLetter.objects.get().reason == "child_lost"
    assert status(message.request.id) is JobStatus.DEAD


def test_what_a_stopping_worker_kills_is_given_back_and_not_counted() -> None:
    """A rolling deploy may do that to the same job any number of times."""
    message = held()
    for _ in range(5):
        with stopping():
            lose_child(message)
        assert message.requeued is True
        message = Held(message.request.id)

    assert JobAttempt.objects.count() == 0
    assert OutboxMessage.objects.get().state == "sent"


def test_a_worker_that_is_told_to_stop_takes_what_it_runs_off_the_record() -> None:
    """Should it be killed before that ends, the job has died with nobody."""
    message = held()
    OutboxMessage.objects.update(state="started", started_at=timezone.now())
    worker_state.active_requests.add(message.request)
    try:
        _tell()
        assert registrar.flush(WITHIN)
    finally:
        worker_state.active_requests.discard(message.request)

    assert OutboxMessage.objects.get().state == "sent"


def test_a_child_that_dies_after_its_last_commit_has_done_its_job() -> None:
    """Between the commit and the report; nothing is to be run again, and nothing is dead."""
    message = held()
    assert carry_out(message.request.id) == "returned"
    message.request.on_failure(told(WorkerLostError(KILLED)))
    message.settle()

    assert message.is_acknowledged
    assert status(message.request.id) is JobStatus.SUCCEEDED
    assert DeadLetter.objects.count() == 0


def test_a_child_that_dies_after_it_has_written_its_job_dead_makes_no_second_letter() -> None:
    job = mortal.die.enqueue(7, link_error=mortal.undo.si(7))
    message = Held(job)
    assert carry_out(job) == "Permanent"
    for error in (WorkerLostError(KILLED), ValueError("what the child says of it")):
        message.request.on_failure(told(error), return_ok=True)
        message.settle()

    assert message.is_acknowledged
    assert DeadLetter.objects.get().reason == "permanent"
    assert OutboxMessage.objects.filter(name=mortal.undo.name).count() == 1


def test_what_fails_on_the_way_to_the_body_is_kept_as_well() -> None:
    """A `before_start` of somebody's, say: no attempt was made, and nobody else writes it."""
    message = held()
    message.request.on_failure(told(LookupError("in before_start")), return_ok=True)
    message.settle()

    assert message.is_acknowledged
    assert DeadLetter.objects.get().error_message == "in before_start"


def test_a_message_that_its_task_gives_back_is_nobodys_death() -> None:
    message = held()
    OutboxMessage.objects.update(state="started", started_at=timezone.now())
    message.request.on_failure(told(Reject("later", requeue=True)))
    message.settle()

    assert message.requeued is True
    assert OutboxMessage.objects.get().state == "sent"


def test_a_member_that_only_the_main_process_sees_die_is_counted() -> None:
    with Batch(death=mortal.undo.si(7)) as batch:
        job = batch.add(mortal.live.si(7))
    sent(job)
    message = Held(job)
    message.request.on_timeout(False, 10)
    message.settle()

    assert Batch.progress(batch.id).dead == 1
    assert DeadLetter.objects.get().batch_id == batch.id
    assert OutboxMessage.objects.filter(name=mortal.undo.name).exists()


def test_giving_back_leaves_what_has_ended_alone() -> None:
    message = held()
    carry_out(message.request.id)
    given_back([message.request.id])

    assert status(message.request.id) is JobStatus.SUCCEEDED


def test_a_job_that_is_to_be_run_once_at_most_is_dead_with_its_first_child() -> None:
    """Its message was acknowledged before it began: to run it again would be against what it declares."""
    job = mortal.at_most_once.enqueue(7)
    sent(job)
    message = Held(job)
    lose_child(message)

    assert DeadLetter.objects.get().reason == "child_lost"
    assert status(job) is JobStatus.DEAD


def test_a_hook_of_celerys_that_fails_keeps_no_death_from_being_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs in the event loop of the worker, which would end with it."""

    def fail(*_: object) -> None:
        raise LookupError("in on_failure")

    message = held()
    monkeypatch.setattr(message.request.task, "on_failure", fail)
    message.request.on_timeout(False, 10)
    message.settle()

    assert message.is_acknowledged
    assert DeadLetter.objects.get().reason == "hard_limit"
