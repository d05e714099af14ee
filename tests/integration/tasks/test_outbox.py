"""P1 at its first half: what is committed is in the outbox, what is rolled back is nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from celery import chain, chord, group, shared_task
from django.db import IntegrityError, transaction
from django.test import override_settings
from django.utils import timezone
from kombu import Producer

from tasks import Batch, PayloadRefused, RetryPolicy, UnknownTask, cancel, task
from tasks.enqueue.bulk import enqueue_many
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.outbox import enqueue, publish
from tasks.enqueue.status import JobStatus, status
from tasks.errors import InvalidDeclaration

pytestmark = pytest.mark.django_db(transaction=True)


@task("outbox_test.take_note", time_limit=timedelta(seconds=10), retry=RetryPolicy.never())
def take_note(number: int, comment: str = "") -> None:
    """Does nothing: it is never run here."""


@shared_task(name="outbox_test.stock")
def stock(number: int) -> None:
    """Celery's own, which knows no outbox."""


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what goes straight to the broker."""
    names: list[str] = []
    monkeypatch.setattr(Producer, "publish", lambda *_, **options: names.append(options["headers"]["task"]))
    return names


class Undone(Exception):
    """Rolls a transaction back."""


def test_a_rollback_takes_the_job_with_it() -> None:
    """Stock Celery sends a ghost: the job runs, its rows are gone."""
    with pytest.raises(Undone), transaction.atomic():
        task_id = take_note.enqueue(1)
        assert status(task_id) is JobStatus.QUEUED
        raise Undone
    assert status(task_id) is JobStatus.UNKNOWN


def test_a_commit_keeps_the_job_whole() -> None:
    """The row is the message as it will go out: routed, with its arguments and its id."""
    with transaction.atomic():
        task_id = take_note.enqueue(7, comment="x", headers={"trace": "abc"})
    row = OutboxMessage.objects.get(task_id=task_id)
    assert (row.state, row.name, row.routing_key) == ("queued", "outbox_test.take_note", "default")
    assert row.headers["trace"] == "abc"
    assert '[[7], {"comment": "x"}' in row.body


@pytest.mark.parametrize("text", ["a NUL \x00", "half a pair \ud800"], ids=["nul", "half"])
def test_text_that_the_databases_json_would_not_hold_arrives(text: str) -> None:
    """In the message it is spelt out; what Celery shows of it, in the headers, is not."""
    row = OutboxMessage.objects.get(task_id=take_note.enqueue(7, comment=text))
    args, kwargs, _ = json.loads(row.body)
    assert (args, kwargs) == ([7], {"comment": text})


def test_outside_a_transaction_it_commits_by_itself() -> None:
    assert status(take_note.enqueue(1)) is JobStatus.QUEUED


def test_a_refused_enqueue_leaves_the_callers_transaction_usable() -> None:
    """An error of the caller's must not poison what the caller does besides."""
    with transaction.atomic():
        with pytest.raises(PayloadRefused):
            take_note.enqueue({1, 2})
        with pytest.raises(UnknownTask, match=r"did you mean 'outbox_test\.take_note'"):
            publish("outbox_test.take_notes", number=1)
        with pytest.raises(TypeError):
            publish("outbox_test.take_note", numbr=1)
        task_id = publish("outbox_test.take_note", number=2)
    assert status(task_id) is JobStatus.QUEUED


@pytest.mark.parametrize("how", ["countdown", "eta"])
def test_a_far_eta_waits_in_the_table(how: str) -> None:
    """In the broker it would be held by a worker, and handed out again after the visibility timeout."""
    options = {"countdown": 3600} if how == "countdown" else {"eta": timezone.now() + timedelta(hours=1)}
    row = OutboxMessage.objects.get(task_id=take_note.enqueue(1, **options))
    assert row.state == "scheduled"
    assert timedelta(minutes=59) < row.due_at - timezone.now() <= timedelta(hours=1)
    assert row.headers["eta"] is None


def test_the_same_task_id_twice_is_one_job() -> None:
    """Stock Celery runs it as often as it was enqueued."""
    for _ in range(100):
        take_note.enqueue(1, task_id="the-same")
    assert OutboxMessage.objects.filter(task_id="the-same").count() == 1


def test_a_chain_is_one_row_that_carries_the_rest_with_frozen_ids() -> None:
    last = enqueue(chain(take_note.si(1), take_note.si(2), take_note.si(3)))
    row = OutboxMessage.objects.get()
    assert status(last) is JobStatus.UNKNOWN  # it is known, but its turn has not come
    assert last in row.body


def test_a_chain_is_followed_by_a_batch_from_its_first_link_to_its_death() -> None:
    """Its own id is that of the last link, which is no job yet, and never becomes one if the chain dies."""
    assert status(enqueue(chain(take_note.si(1), take_note.si(2)))) is JobStatus.UNKNOWN
    OutboxMessage.objects.all().delete()

    with Batch() as batch:
        batch.add(chain(take_note.si(1), take_note.si(2)))
    assert Batch.progress(batch.id).pending == 1
    assert cancel(OutboxMessage.objects.get().task_id)
    assert Batch.progress(batch.id).dead == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: publish("outbox_test.stock", number=1),
        lambda: enqueue(stock.si(1)),
        lambda: enqueue(chain(stock.si(1), take_note.si(2))),
        lambda: enqueue(group(stock.si(1), take_note.si(2))),
        lambda: enqueue(chord([stock.si(1)], take_note.si(2))),
        lambda: enqueue_many("outbox_test.stock", [{"number": 1}]),
    ],
    ids=["published", "alone", "in a chain", "in a group", "in a chord", "one of many"],
)
def test_a_task_of_celerys_own_is_part_of_the_transaction_too(published: list[str], call: Callable[[], object]) -> None:
    """It was sent at once, though the transaction was rolled back afterwards."""
    with pytest.raises(Undone), transaction.atomic():
        call()
        raise Undone
    assert published == []

    call()
    assert published == []
    assert "outbox_test.stock" in OutboxMessage.objects.values_list("name", flat=True)


def test_a_task_of_celerys_own_waits_in_the_table_too(published: list[str]) -> None:
    """Not in a worker, for an hour, nor in RabbitMQ on top of that."""
    task_id = enqueue(stock.si(1), countdown=3600)

    row = OutboxMessage.objects.get(task_id=task_id)
    assert row.state == "scheduled"
    assert timedelta(minutes=59) < row.due_at - timezone.now() <= timedelta(hours=1)
    assert row.headers["eta"] is None
    assert published == []


class ReadsElsewhere:
    """Sends reads to a replica, which may lag. This one isn't there at all."""

    def db_for_read(self, *_: object, **__: object) -> str:
        return "replica"


def test_what_was_committed_just_now_is_known_where_reads_go_to_a_replica() -> None:
    with override_settings(DATABASE_ROUTERS=[ReadsElsewhere()]):
        with Batch() as batch:
            task_id = batch.add(take_note.si(1))
        assert status(task_id) is JobStatus.QUEUED
        assert Batch.progress(batch.id).pending == 1


def test_many_are_written_in_chunks_and_counted() -> None:
    """More than a chunk, to see the seam."""
    assert enqueue_many("outbox_test.take_note", ({"number": number} for number in range(5_500))) == 5_500
    assert OutboxMessage.objects.filter(state="queued").count() == 5_500
    assert OutboxMessage.objects.values("task_id").distinct().count() == 5_500


def test_many_in_a_transaction_are_rolled_back_with_it() -> None:
    with pytest.raises(Undone), transaction.atomic():
        take_note.enqueue_many([{"number": 1}, {"number": 2}])
        raise Undone
    assert not OutboxMessage.objects.exists()


def test_a_failing_member_of_many_writes_nothing_of_its_chunk() -> None:
    with pytest.raises(PayloadRefused):
        take_note.enqueue_many([{"number": 1}, {"number": object()}])
    assert not OutboxMessage.objects.exists()


def test_a_parameter_named_like_an_option_is_refused_where_it_is_declared() -> None:
    """`enqueue(priority=3)` could mean either."""
    with pytest.raises(InvalidDeclaration, match="'priority' is an option of enqueue"):

        @task("outbox_test.misnamed", time_limit=timedelta(seconds=1))
        def misnamed(priority: int) -> None: ...


def test_a_broken_transaction_is_told_as_one() -> None:
    """Enqueueing after a database error inside the same transaction is Django's error, not a lost job."""
    from django.db import connection
    from django.db.transaction import TransactionManagementError

    with pytest.raises(TransactionManagementError), transaction.atomic():
        with pytest.raises(IntegrityError), connection.cursor() as cursor:
            cursor.execute("INSERT INTO tasks_outbox (task_id) VALUES ('x')")
        transaction.set_rollback(True)
        take_note.enqueue(1)
