"""`cancel`: a job that waits is given up, and everybody who counts on it is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from celery import chain, chord, current_app
from celery.signals import task_revoked
from celery.worker.state import revoked
from django.db import connection, transaction

from tasks import Batch, JobStatus, ReliableTask, Transient, Unique, cancel, status, task
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.outbox import enqueue
from tasks.execution.batch_models import Batch as BatchRow
from tasks.execution.jobs import job_begin
from tasks.execution.losses import given_back, stopping
from tasks.operation.reconciler import unfinished_send_again
from tasks.signals import job_finished
from tests.integration.tasks.main_process import Held
from tests.integration.tasks.uniqueness.deliveries import carry_out, deliver, sent

pytestmark = pytest.mark.django_db(transaction=True)
LIMIT = timedelta(seconds=10)


@task("cancel_test.take_note", time_limit=LIMIT)
def take_note(number: int = 0) -> None:
    """Does nothing."""


@task("cancel_test.forgetful", time_limit=LIMIT, base=ReliableTask)
def forgetful() -> None:
    """Keeps no dead letters."""


@task("cancel_test.flaky", time_limit=LIMIT)
def flaky() -> None:
    """Fails in a way that may pass."""
    raise Transient


@task("cancel_test.gather", time_limit=LIMIT)
def gather(numbers: list[int]) -> None:
    """A chord's body."""


@task("cancel_test.newest", time_limit=LIMIT, unique=Unique(by=(), until="started", on_conflict="replace"))
def newest(number: int) -> None:
    """Takes new arguments."""


@pytest.mark.parametrize("how", [{}, {"countdown": 60}])
def test_a_job_that_waits_is_cancelled_and_its_delivery_dropped(how: dict[str, Any]) -> None:
    job = take_note.enqueue(1, **how)
    message = sent(job)

    assert cancel(job)
    assert status(job) is JobStatus.CANCELLED
    assert deliver(message) == "Ignore"
    assert status(job) is JobStatus.CANCELLED


@pytest.mark.parametrize("state", ["started", "succeeded", "dead"])
def test_a_job_that_runs_or_has_ended_is_not_cancelled(state: str) -> None:
    """What runs can't be called back; what has ended stays as it ended."""
    job = take_note.enqueue(1)
    ended: Any = {} if state == "started" else {"finished_at": "2020-01-01T00:00Z"}
    OutboxMessage.objects.filter(task_id=job).update(state=state, **ended)

    assert not cancel(job)
    assert not cancel("never heard of")
    assert OutboxMessage.objects.get().state == state


@pytest.mark.parametrize("meanwhile", ["queued again", "sent again", "its worker is stopping"])
def test_a_job_that_runs_is_not_cancelled_because_of_what_its_row_says_besides(
    clean_broker: str, meanwhile: str
) -> None:
    """It runs for so long that the broker was given it once more, or it is allowed to finish before its worker ends."""
    job = begun()
    if meanwhile == "its worker is stopping":
        stopping([job])
    else:
        OutboxMessage.objects.filter(task_id=job).update(sent_at="2020-01-01T00:00Z")
        assert unfinished_send_again(current_app, older_than=LIMIT) == 1
    if meanwhile == "sent again":
        sent(job)
    assert OutboxMessage.objects.get().state != "started"

    assert not cancel(job)


@pytest.mark.parametrize("and_stopping", [True, False])
def test_a_job_that_a_worker_has_given_back_waits_and_is_cancelled(and_stopping: bool) -> None:
    job = begun()
    if and_stopping:
        stopping([job])
    given_back([job])

    assert cancel(job)


def test_a_job_that_is_to_be_tried_again_waits_and_is_cancelled() -> None:
    job = flaky.enqueue()
    assert carry_out(job) == "Retry"
    sent(job)

    assert cancel(job)


def begun() -> str:
    """A job that runs."""
    job = take_note.enqueue(1)
    worker: Any = take_note
    worker.push_request(**sent(job))
    try:
        assert job_begin(take_note)
    finally:
        worker.pop_request()
    return job


def test_it_is_part_of_the_callers_transaction() -> None:
    job = take_note.enqueue(1)
    with transaction.atomic():
        assert cancel(job)
        transaction.set_rollback(True)
    assert status(job) is JobStatus.QUEUED
    assert carry_out(job) == "returned"


def test_its_end_is_told_once() -> None:
    told: list[tuple[str, str]] = []

    def note(*, task_id: str, state: str, **_: Any) -> None:
        told.append((task_id, state))

    job_finished.connect(note)
    try:
        job = take_note.enqueue(1)
        assert [cancel(job), cancel(job)] == [True, False]
    finally:
        job_finished.disconnect(note)
    assert told == [(job, "cancelled")]


def test_a_batch_counts_a_cancelled_member_as_dead_and_comes_to_its_end() -> None:
    """It would wait for it for ever otherwise. A chain that is cancelled at its first link is one member."""
    with Batch(complete=take_note.si(99)) as batch:
        jobs = [batch.add(take_note.si(1)), batch.add(take_note.si(2))]
        batch.add(chain(take_note.si(3), take_note.si(4)))
    assert cancel(jobs[0])
    assert carry_out(jobs[1]) == "returned"
    (head,) = OutboxMessage.objects.filter(finished_at=None).values_list("task_id", flat=True)
    assert cancel(head)

    progress = Batch.progress(batch.id)
    assert (progress.succeeded, progress.dead, progress.pending) == (1, 2, 0)
    assert OutboxMessage.objects.filter(body__startswith="[[99]").count() == 1


def test_a_chord_counts_a_cancelled_member_as_dead() -> None:
    enqueue(chord([take_note.si(1), take_note.si(2)], gather.s()))
    first, second = OutboxMessage.objects.order_by("id").values_list("task_id", flat=True)
    assert cancel(first)
    assert carry_out(second) == "returned"

    row = BatchRow.objects.get()
    assert (row.succeeded, row.dead) == (1, 1)
    assert row.finished_at
    assert not OutboxMessage.objects.filter(name=gather.name).exists()


def test_an_expired_copy_with_old_arguments_does_not_cancel_the_job() -> None:
    """Celery would drop everything under the id from then on; the job has another message by now."""
    job = newest.enqueue(1, expires=60)
    sent(job)
    old = Held(job)
    newest.enqueue(2)
    revoked.add(job)
    old.be_dropped(expired=True)

    assert old.is_acknowledged
    assert status(job) is JobStatus.QUEUED
    assert job not in revoked
    assert carry_out(job) == "returned"


def test_a_revocation_is_not_acknowledged_before_it_is_written() -> None:
    """The broker delivers it again, and then it is told again."""
    job = take_note.enqueue(1)
    sent(job)
    first, second = Held(job), Held(job)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tasks_outbox RENAME TO away")
    try:
        first.be_dropped()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO tasks_outbox")
    assert not first.is_acknowledged
    second.be_dropped()

    assert second.is_acknowledged
    assert status(job) is JobStatus.CANCELLED


def test_a_task_that_keeps_no_letters_is_told_of_a_revocation_by_celery() -> None:
    """Otherwise its row would stay as if it were under way."""
    job = forgetful.enqueue()
    task_revoked.send(
        sender=current_app.tasks[forgetful.name],
        request=type("Request", (), sent(job)),
        terminated=False,
        signum=None,
        expired=False,
    )

    assert status(job) is JobStatus.CANCELLED
