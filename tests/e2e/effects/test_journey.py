"""Jobs from the enqueue to their end, through the outbox, the relay, the broker and a real worker."""

from __future__ import annotations

from celery import chain
from django.db import transaction

from project.local.child import Child
from project.local.waiting import wait_until
from tasks import JobStatus, status
from tasks.enqueue.outbox import enqueue
from tests.e2e.effects import sample_tasks as sample
from tests.e2e.effects.conftest import WITHIN, Diary, ended


def test_a_committed_job_is_carried_out(worker: Child, diary: Diary) -> None:
    with transaction.atomic():
        task_id = sample.write_note.enqueue(diary.name, "a")
        assert status(task_id) is JobStatus.QUEUED
    assert ended(task_id, worker) is JobStatus.SUCCEEDED
    assert diary.lines == ["a"]


def test_a_chain_goes_on_link_by_link_under_its_frozen_ids(worker: Child, diary: Diary) -> None:
    """A database effect, an outside one, and a plain one, each written by the one before."""
    last = enqueue(
        chain(
            sample.write_note_once.si(diary.name, "one"),
            sample.call_outside.si(diary.name, "two"),
            sample.write_note.si(diary.name, "three"),
        ).on_error(sample.write_note.si(diary.name, "not this"))
    )
    assert wait_until(lambda: status(last) is JobStatus.SUCCEEDED, within=WITHIN), worker.log_tail(40)
    assert diary.lines == ["one", "three", "two"]


def test_a_retry_waits_in_the_outbox_and_comes_again(worker: Child, diary: Diary) -> None:
    task_id = sample.fail_at_first.enqueue(diary.name, 2)
    assert ended(task_id, worker) is JobStatus.SUCCEEDED
    assert diary.lines == ["attempt 0", "attempt 1", "attempt 2"]


def test_a_link_that_dies_takes_its_rest_with_it_and_calls_the_error_callback(worker: Child, diary: Diary) -> None:
    enqueue(
        chain(sample.fail.si(diary.name), sample.write_note.si(diary.name, "never")).on_error(
            sample.write_note.si(diary.name, "error callback")
        )
    )
    assert wait_until(lambda: "error callback" in diary.lines, within=WITHIN), worker.log_tail(40)
    assert diary.lines == ["error callback", "failing"]


def test_a_plain_celery_task_in_the_middle_of_a_chain_works(worker: Child, diary: Diary) -> None:
    """With Celery's own guarantee for that link."""
    enqueue(
        chain(
            sample.write_note.si(diary.name, "before"),
            sample.plain_note.si(diary.name, "plain"),
            sample.write_note.si(diary.name, "after"),
        )
    )
    assert wait_until(lambda: "after" in diary.lines, within=WITHIN), worker.log_tail(40)
    assert diary.lines == ["after", "before", "plain"]


def test_two_jobs_under_one_key_have_one_effect_and_both_go_on(worker: Child, diary: Diary) -> None:
    """The second gets the stored result, and its own chain goes on with it."""
    chains = [
        enqueue(chain(sample.write_note_once.si(diary.name, "once"), sample.write_note.si(diary.name, after)))
        for after in ("first", "second")
    ]
    for last in chains:
        assert ended(last, worker) is JobStatus.SUCCEEDED
    assert diary.lines == ["first", "once", "second"]
