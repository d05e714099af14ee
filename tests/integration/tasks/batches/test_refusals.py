"""What a batch would wait for in vain is refused where it is added, and what is rolled back is not waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from celery import chain, chord, group, shared_task
from celery.backends.base import DisabledBackend
from django.db import DataError, connection, transaction

from tasks import Batch
from tasks.errors import MemberRefused
from tasks.execution.batch import Progress
from tasks.execution.batch_models import Batch as BatchRow
from tests.integration.tasks.attempts.acts import elsewhere
from tests.integration.tasks.batches.counting import callbacks, carried_out, jobs, opened
from tests.integration.tasks.redrive import dying

pytestmark = pytest.mark.django_db(transaction=True)

plain, follow = dying.plain, dying.follow


@shared_task(name="batches.stock")
def stock() -> None: ...


class Undone(Exception):
    """Rolls a savepoint back."""


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a group": (lambda: group(plain.si(1), plain.si(2)), "add each of its tasks"),
    "a group at the end of a chain": (lambda: chain(plain.si(1), group(plain.si(2), plain.si(3))), "no end of its own"),
    "a group as a chord's body": (lambda: chord([plain.si(1)], group(plain.si(2), plain.si(3))), "no end of its own"),
    "an empty chain": (chain, "leave it out"),
    "a stock task": (stock.si, "plain Celery task"),
    "a stock task at the end": (lambda: chain(plain.si(1), stock.si()), "declare it with @task"),
    "a stock task on the way": (lambda: chain(plain.si(1), stock.si(), plain.si(2)), "plain Celery task"),
    "a stock body": (lambda: chord([plain.si(1)], stock.si()), "plain Celery task"),
    "a stock body on the way": (lambda: chain(chord([plain.si(1)], stock.si()), plain.si(2)), "plain Celery task"),
    "a map of a stock task": (lambda: stock.map([1, 2]), "plain Celery task"),
    "a chord's headers": (lambda: chord([plain.si(1)], plain.si(2)).set(headers={"a": "b"}), "set them on its tasks"),
}


@pytest.mark.parametrize(("canvas", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_what_no_batch_is_told_the_end_of_is_refused(canvas: Callable[[], Any], why: str) -> None:
    """And the batch goes on without it."""
    with opened() as batch:
        with pytest.raises(MemberRefused, match=why) as refusal:
            batch.add(canvas())
        member = batch.add(plain.si(7))
    assert batch.id in str(refusal.value)
    assert jobs() == [member]
    carried_out(member)
    assert callbacks() == {"complete": 1, "success": 1}


def test_a_chord_that_another_backend_counts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """If it dies there, nobody here hears of it."""
    monkeypatch.setattr(type(stock.app), "backend", DisabledBackend(app=stock.app))
    for canvas in (chord([plain.si(1)], plain.si(2)), chain(group(plain.si(1), plain.si(2)), plain.si(3))):
        with Batch() as batch, pytest.raises(MemberRefused, match="CELERY_RESULT_BACKEND"):
            batch.add(canvas)


def test_one_task_id_is_one_member_however_often_it_is_added() -> None:
    """As it is one job in the outbox."""
    with opened() as batch:
        ids = {batch.add(plain.si(1), task_id="part 1"), batch.add(plain.si(1), task_id="part 1")}
    assert ids == {"part 1"}
    carried_out("part 1")
    assert Batch.progress(batch.id) == Progress(total=1, succeeded=1, dead=0)
    assert callbacks() == {"complete": 1, "success": 1}


TAKEN: dict[str, tuple[Callable[[], Any], dict[str, str]]] = {
    "a task's": (lambda: plain.si(1), {"task_id": "taken"}),
    "a task's own": (lambda: plain.si(1).set(task_id="taken"), {}),
    "a chain's": (lambda: chain(plain.si(1), plain.si(2)), {"task_id": "taken"}),
    "its last link's own": (lambda: chain(plain.si(1), plain.si(2).set(task_id="taken")), {}),
    "a chord's": (lambda: chord([plain.si(1)], plain.si(2)), {"task_id": "taken"}),
}


@pytest.mark.parametrize(("canvas", "options"), TAKEN.values(), ids=TAKEN.keys())
def test_the_id_of_a_job_that_is_no_member_is_refused(canvas: Callable[[], Any], options: dict[str, str]) -> None:
    """That job is left as it is, and nobody would count it."""
    plain.enqueue(0, task_id="taken")
    with Batch() as batch:
        with pytest.raises(MemberRefused, match=r"\[taken\].*enqueued under that id before"):
            batch.add(canvas(), **options)
        member = batch.add(plain.si(7), task_id="another")
    assert sorted(jobs()) == ["another", "taken"]
    carried_out(member)
    assert Batch.progress(batch.id) == Progress(total=1, succeeded=1, dead=0)


@pytest.mark.parametrize("kind", ["a chain's", "a chord's"])
def test_an_id_that_a_member_ends_with_is_given_once(kind: str) -> None:
    """The second would be carried out but for its end, which is there already, and is counted once."""
    canvas, _ = TAKEN[kind]
    with Batch() as batch:
        batch.add(canvas(), task_id="end")
        for another in (canvas(), plain.si(1)):
            with pytest.raises(MemberRefused, match="is the end of another member"):
                batch.add(another, task_id="end")
        batch.add(plain.si(2), task_id="task")
        with pytest.raises(MemberRefused, match="enqueued under that id before"):
            batch.add(canvas(), task_id="task")
    assert Batch.progress(batch.id).total == 2
    assert len(jobs()) == 2


def test_an_id_that_somebody_else_takes_at_the_same_time_is_refused() -> None:
    """It isn't there yet when the batch looks."""
    taken: list[Any] = []

    def wrapper(execute: Any, sql: str, *given: Any) -> Any:
        if "INSERT INTO tasks_outbox" in sql and not taken:
            taken.append(elsewhere(lambda: plain.enqueue(0, task_id="taken"))())
        return execute(sql, *given)

    refused = pytest.raises(MemberRefused, match="enqueued under that id before")
    with Batch() as batch, connection.execute_wrapper(wrapper), refused:
        batch.add(plain.si(1), task_id="taken")
    assert taken
    assert Batch.progress(batch.id).total == 0


def test_what_is_added_after_the_block_or_before_it_is_refused() -> None:
    """The batch knows how many it waits for, and may be over."""
    batch = opened()
    with pytest.raises(MemberRefused, match="within its block, which isn't open here"):
        batch.add(plain.si(1))
    with batch:
        member = batch.add(plain.si(1))
    with pytest.raises(MemberRefused, match="within its block"):
        batch.add(plain.si(2))
    with pytest.raises(MemberRefused, match="within its block"), batch.nested():
        pass
    assert (jobs(), BatchRow.objects.count()) == ([member], 1)
    carried_out(member)
    assert callbacks() == {"complete": 1, "success": 1}


def test_what_another_thread_adds_is_refused() -> None:
    """It would be enqueued in a transaction of its own, and might end before there is a batch to count it."""
    with Batch() as batch, pytest.raises(MemberRefused, match="isn't open here"):
        elsewhere(lambda: batch.add(plain.si(1)))()
    assert not jobs()


def test_a_nested_batch_that_is_rolled_back_is_no_member() -> None:
    with opened() as outer:
        member = outer.add(plain.si(1))
        with pytest.raises(Undone), outer.nested() as inner:
            inner.add(plain.si(2))
            raise Undone
    carried_out(member)
    assert Batch.progress(outer.id) == Progress(total=1, succeeded=1, dead=0)
    assert callbacks() == {"complete": 1, "success": 1}


def test_what_is_added_in_a_savepoint_is_waited_for_unless_that_is_rolled_back() -> None:
    with opened() as batch:
        with pytest.raises(Undone), transaction.atomic():
            batch.add(plain.si(1))
            with batch.nested() as inner:
                batch.add(plain.si(2))
                inner.add(plain.si(3))
            raise Undone
        with transaction.atomic():
            kept = [batch.add(plain.si(4))]
            with batch.nested() as inner:
                kept += [batch.add(plain.si(5)), inner.add(plain.si(6))]
    for member in kept:
        assert not callbacks()
        carried_out(member)
    assert Batch.progress(batch.id) == Progress(total=3, succeeded=3, dead=0)
    assert callbacks() == {"complete": 1, "success": 1}


def test_a_batch_that_cannot_be_written_leaves_no_transaction_open() -> None:
    """Whatever this thread wrote after it would never be committed."""
    with pytest.raises(DataError), Batch(description="x" * 201):
        pass
    assert not connection.in_atomic_block
