"""The toolkit's own chores: what they delete, what they leave, and that beat sends them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from config.queues import DEFAULT
from config.schedules import SCHEDULES
from tasks import task
from tasks import tasks as chores
from tasks.enqueue.models import OutboxMessage
from tasks.execution.deaths import Reason
from tasks.execution.jobs import job_begin
from tasks.execution.ledger import Claim
from tasks.execution.ledgers.postgres import PostgresLedger
from tasks.execution.losses import worker_lost
from tasks.execution.models import LedgerEntry
from tasks.failure.remains import Cause
from tasks.operation.pruning import in_batches
from tasks.tasks import prune_ledger, prune_outbox, send_unfinished_again

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean_broker")]

HOUR = timedelta(hours=1)


@task("chores_test.take_note", time_limit=timedelta(seconds=10))
def take_note() -> None:
    """Does nothing: no worker runs here."""


def job(**facts: object) -> OutboxMessage:
    """A job's row, with those facts."""
    task_id = take_note.enqueue()
    OutboxMessage.objects.filter(task_id=task_id).update(**facts)
    return OutboxMessage.objects.get(task_id=task_id)


def test_keys_whose_time_is_over_are_forgotten_and_the_others_are_not() -> None:
    ledger = PostgresLedger()
    for key, ttl in {"old": timedelta(microseconds=1), "young": HOUR}.items():
        claim = ledger.claim(key, fingerprint="", owner="", lease=HOUR, ttl=HOUR)
        assert isinstance(claim, Claim)
        ledger.complete(claim, None, ttl=ttl)

    assert prune_ledger() == 1
    assert LedgerEntry.objects.get().key == "young"


def test_jobs_are_kept_for_as_long_as_the_settings_say_after_their_end() -> None:
    """And one that has not ended, for ever."""
    kept = [job(), job(state="succeeded", finished_at=timezone.now() - HOUR)]
    job(state="dead", finished_at=timezone.now() - 3 * HOUR)

    with override_settings(TASKS={"OUTBOX_KEPT_FOR": 2 * HOUR}):
        assert prune_outbox() == 1
    assert set(OutboxMessage.objects.all()) == set(kept)


def test_what_the_broker_has_forgotten_is_queued_again() -> None:
    """Here it never had it."""
    forgotten = job(state="sent", sent_at=timezone.now() - 2 * HOUR)
    fresh = job(state="sent", sent_at=timezone.now())

    with override_settings(TASKS={"OUTBOX_UNFINISHED_AFTER": HOUR}):
        assert send_unfinished_again() == 1
    states = {row.pk: row.state for row in OutboxMessage.objects.all()}
    assert states == {forgotten.pk: "queued", fresh.pk: "sent"}


def test_what_a_relay_could_not_mark_sent_and_a_worker_began_is_queued_again() -> None:
    """The relay died when the broker had it, the worker when it had begun, and then the broker forgot it."""
    row = job()
    with request(row.task_id):
        assert job_begin(take_note)
    assert OutboxMessage.objects.get().state == "started"

    with override_settings(TASKS={"OUTBOX_UNFINISHED_AFTER": timedelta(0)}):
        assert send_unfinished_again() == 1


def test_what_a_worker_has_put_on_record_is_queued_again() -> None:
    """A job that was sent without the outbox, and came a second time."""
    with request("a stranger's"):
        assert not worker_lost(take_note, Cause(reason=Reason.WORKER_LOST, error_type="", error_message=""), limit=HOUR)
    assert OutboxMessage.objects.get().state == "sent"

    with override_settings(TASKS={"OUTBOX_UNFINISHED_AFTER": timedelta(0)}):
        assert send_unfinished_again() == 1


@contextmanager
def request(task_id: str) -> Iterator[None]:
    """A worker has a message of that job."""
    told: Any = {"delivery_info": {"routing_key": DEFAULT, "exchange": DEFAULT}, "called_directly": False}
    worker: Any = take_note
    worker.push_request(id=task_id, task=take_note.name, args=(), kwargs={}, retries=0, **told)
    try:
        yield
    finally:
        worker.pop_request()


def test_a_batch_that_is_full_is_followed_by_another() -> None:
    left = [3, 5, 5]
    assert in_batches(lambda _: left.pop(), within=HOUR, batch=5) == 13


def test_when_the_time_is_over_the_rest_is_left_for_the_next_tick() -> None:
    """A time limit would end it in the middle, as a failure."""
    assert in_batches(lambda most: most, within=timedelta(0), batch=5) == 5


# What a person asks for, in the admin.
ASKED_FOR = {"tasks.redrive_letters", "tasks.discard_letters"}


def test_each_chore_is_scheduled() -> None:
    """What nobody schedules grows until the disk is full."""
    declared = {chore.name for chore in vars(chores).values() if getattr(chore, "is_reliable", False)}

    assert "tasks.prune_ledger" in declared
    assert declared - {entry.task for entry in SCHEDULES} == ASKED_FOR
