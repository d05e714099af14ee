"""P4 in real workers: one effect under one key, whatever is delivered how often and whoever dies or freezes."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import Any

import psutil
import pytest
from celery import chain, current_app
from django.utils import timezone

from config.queues import QUEUES
from project.local.child import Child
from project.local.waiting import wait_until
from tasks import JobStatus, status
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.outbox import enqueue
from tasks.execution.models import LedgerEntry
from tasks.operation.health import messages_held
from tests.e2e.effects import sample_effects as held
from tests.e2e.effects import sample_tasks as sample
from tests.e2e.effects.conftest import WITHIN, Diary, ended

pytestmark = pytest.mark.timeout(240)

# Of a lease of the time limit and ten seconds: three and a half.
LEASE_TIME_SCALE = "0.05"
LEASE_AND_SOME = timedelta(seconds=30)
BOTH = pytest.mark.parametrize("act", [held.hold_inside, held.hold_outside], ids=["database", "external"])


@pytest.fixture
def process_environment(process_environment: dict[str, str]) -> dict[str, str]:
    """Leases that a test can wait for."""
    return {**process_environment, "LEASE_TIME_SCALE": LEASE_TIME_SCALE}


def open_gate(diary: Diary) -> None:
    held.gate_of(diary.name).touch()


def child_in_body(diary: Diary, worker: Child) -> int:
    """Wait until a child is in the body; its number."""
    file = held.child_of(diary.name)
    assert wait_until(lambda: file.exists() and file.read_text(), within=WITHIN), worker.log_tail(40)
    pid = int(file.read_text())
    file.unlink()
    return pid


def comes(condition: Any, worker: Child) -> None:
    assert wait_until(condition, within=WITHIN), worker.log_tail(60)


def row(task_id: str) -> OutboxMessage:
    return OutboxMessage.objects.get(task_id=task_id)


def send_again(message: OutboxMessage) -> None:
    """Let the relay send it as if it had never been sent, and nobody knew of the job."""
    OutboxMessage.objects.filter(task_id=message.task_id).delete()
    message.pk, message.state, message.finished_at = None, OutboxMessage.State.QUEUED, None
    message.save()


def result_of(key: str) -> str | None:
    """The stored result, as JSON; None while it is not done."""
    return LedgerEntry.objects.filter(key=key, state="done").values_list("result", flat=True).first()


@BOTH
def test_a_message_that_comes_again_is_answered_from_the_ledger(worker: Child, diary: Diary, act: Any) -> None:
    """The body doesn't run, and what follows it is not written a second time."""
    open_gate(diary)
    enqueue(chain(act.si(diary.name, "act"), sample.write_note.si(diary.name, "after")))
    first = OutboxMessage.objects.get()
    comes(lambda: diary.lines == ["act", "after"], worker)
    comes(lambda: row(first.task_id).finished_at, worker)

    send_again(first)
    assert ended(first.task_id, worker) is JobStatus.SUCCEEDED
    last = sample.write_note.enqueue(diary.name, "last")
    assert ended(last, worker) is JobStatus.SUCCEEDED
    assert diary.lines == ["act", "after", "last"]
    assert OutboxMessage.objects.filter(name="sample.write_note").count() == 2


@BOTH
def test_two_at_once_are_one_effect_and_the_second_is_given_back_uncounted(
    worker: Child, diary: Diary, act: Any
) -> None:
    """It has not failed; it comes again when the first may be through, and goes on with its result."""
    first = act.enqueue(diary.name, "act")
    child_in_body(diary, worker)
    second = enqueue(chain(act.si(diary.name, "act"), sample.write_note.si(diary.name, "after")))
    waiting = OutboxMessage.objects.exclude(task_id=first).get()
    comes(lambda: row(waiting.task_id).state == "scheduled", worker)
    assert (row(waiting.task_id).retries, row(first).state) == (0, "started")

    open_gate(diary)
    assert (ended(first, worker), ended(second, worker)) == (JobStatus.SUCCEEDED, JobStatus.SUCCEEDED)
    assert diary.lines == ["act", "after"]


def test_a_zombie_can_not_commit_what_another_has_done_since(worker: Child, diary: Diary) -> None:
    """Frozen past its lease, then woken: its token is stale, and it fails nothing."""
    task_id = enqueue(held.hold_outside.si(diary.name, "act").on_error(sample.write_note.si(diary.name, "error")))
    message = OutboxMessage.objects.get()
    zombie = child_in_body(diary, worker)
    os.kill(zombie, signal.SIGSTOP)
    try:
        send_again(message)
        assert child_in_body(diary, worker) != zombie  # the lease is over, and the hook said that nothing has happened
        taken_over = LedgerEntry.objects.get().token
        open_gate(diary)
        assert ended(task_id, worker) is JobStatus.SUCCEEDED
        done_at = LedgerEntry.objects.get().done_at
    finally:
        os.kill(zombie, signal.SIGCONT)

    comes(lambda: diary.lines == ["act", "act"], worker)  # its body ran on: the provider's key is what meets that
    comes(lambda: sum(messages_held(current_app, QUEUES).values()) == 0, worker)
    entry = LedgerEntry.objects.get()
    assert (entry.state, entry.token, entry.done_at) == ("done", taken_over, done_at)
    assert (status(task_id), "error" in diary.lines) == (JobStatus.SUCCEEDED, False)


@BOTH
def test_a_key_with_other_arguments_is_a_conflict_for_good(worker: Child, diary: Diary, act: Any) -> None:
    open_gate(diary)
    assert ended(act.enqueue(diary.name, "act"), worker) is JobStatus.SUCCEEDED
    other = act.enqueue(diary.name, "act", comment="other")

    assert ended(other, worker) is JobStatus.DEAD
    assert row(other).problem.startswith("KeyConflict: ")
    assert (diary.lines, row(other).retries) == (["act"], 0)


@pytest.mark.parametrize("act", [held.fail_inside, held.fail_outside], ids=["database", "external"])
def test_attempts_that_failed_do_not_consume_the_key(worker: Child, diary: Diary, act: Any) -> None:
    task_id = act.enqueue(diary.name, "act")

    assert ended(task_id, worker) is JobStatus.SUCCEEDED
    assert (diary.lines, row(task_id).retries) == (["act"], 2)


def killed_after_acting(task_id: str, diary: Diary, worker: Child) -> None:
    """The child dies between the provider's answer and its record; its message goes back to the queue."""
    child = child_in_body(diary, worker)
    psutil.Process(child).kill()
    open_gate(diary)


def test_after_a_crash_in_the_middle_the_provider_is_asked(worker: Child, diary: Diary) -> None:
    """It says that the effect has happened: the body doesn't run again, and the job goes on with what it says."""
    last = enqueue(chain(held.act_and_vanish.si(diary.name, "act"), sample.write_note.si(diary.name, "after")))
    killed_after_acting(last, diary, worker)

    assert wait_until(lambda: status(last) is JobStatus.SUCCEEDED, within=WITHIN), worker.log_tail(60)
    assert diary.lines == ["act", "after"]
    assert result_of(f"{diary.name}|act") == '"found by asking"'


def test_without_a_provider_to_ask_a_task_may_rather_err_twice(worker: Child, diary: Diary) -> None:
    """It is given back until the dead one's lease is over, and no longer."""
    task_id = held.err_twice.enqueue(diary.name, "act")
    killed_after_acting(task_id, diary, worker)
    killed_at = timezone.now()

    assert ended(task_id, worker) is JobStatus.SUCCEEDED
    assert diary.lines == ["act", "act"]
    finished_at = row(task_id).finished_at
    assert finished_at is not None
    assert finished_at - killed_at < LEASE_AND_SOME


def test_without_a_provider_to_ask_a_task_may_rather_err_never(worker: Child, diary: Diary) -> None:
    """It is left to a person, with the way in the message."""
    task_id = held.err_never.enqueue(diary.name, "act")
    killed_after_acting(task_id, diary, worker)

    assert ended(task_id, worker) is JobStatus.DEAD
    assert "manage.py settle_effect" in row(task_id).problem
    assert diary.lines == ["act"]
