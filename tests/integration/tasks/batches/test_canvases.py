"""A canvas is one member: its end is the member's, and one that will never be reached is a dead member."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from celery import chain, chord, group

from tasks import Batch
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.outbox import enqueue
from tasks.execution.batch import Progress
from tasks.execution.batch_models import Batch as BatchRow
from tasks.execution.redrive import redrive
from tests.integration.tasks.batches.counting import callbacks, carried_out, jobs, opened
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import died

pytestmark = pytest.mark.django_db(transaction=True)

plain, collect, follow = dying.plain, dying.collect, dying.follow

CHORDS: dict[str, Callable[[], Any]] = {
    "chord": lambda: chord([plain.si(1), plain.si(2)], follow.si("end")),
    "group, then a task": lambda: chain(group(plain.si(1), plain.si(2)), follow.si("end")),
    "group, then two": lambda: chain(group(plain.si(1), plain.si(2)), plain.si(3), follow.si("end")),
    "chord with a chain as its body": lambda: chord([plain.si(1), plain.si(2)], chain(plain.si(3), follow.si("end"))),
    "chord at the end of a chain": lambda: chain(plain.si(1), chord([plain.si(2), plain.si(3)], follow.si("end"))),
    "chord in a chord": lambda: chord([chord([plain.si(1)], plain.si(2)), plain.si(3)], follow.si("end")),
}
every_chord = pytest.mark.parametrize("canvas", CHORDS.values(), ids=CHORDS.keys())

OVER = Progress(total=1, succeeded=1, dead=0)
DEAD = Progress(total=1, succeeded=0, dead=1)
UNDER_WAY = Progress(total=1, succeeded=0, dead=0)


def next_one() -> str | None:
    """The first job that has not ended, but for a batch's callbacks."""
    left = OutboxMessage.objects.filter(finished_at=None).order_by("pk")
    found = left.filter(name="redrive.plain").first() or left.filter(body__startswith='[["end"').first()
    return found.task_id if found else None


def carry_out_the_rest(batch: Batch) -> None:
    """To the end, before which the batch is not over."""
    while task_id := next_one():
        assert Batch.progress(batch.id) == UNDER_WAY
        carried_out(task_id)


@every_chord
def test_a_canvas_is_counted_when_its_end_is_and_not_before(canvas: Callable[[], Any]) -> None:
    with opened() as batch:
        task_id = batch.add(canvas())
    carry_out_the_rest(batch)

    assert Batch.progress(batch.id) == OVER
    assert callbacks() == {"complete": 1, "success": 1}
    assert OutboxMessage.objects.get(body__startswith='[["end"').task_id == task_id


@every_chord
def test_a_canvas_that_dies_on_the_way_is_dead_and_whole_again_when_redriven(canvas: Callable[[], Any]) -> None:
    """Whichever job it is: its chord's body, which ends the canvas, is never begun."""
    with opened() as batch:
        batch.add(canvas())
    first = next_one()
    assert first is not None
    letter = died(first)
    while task_id := next_one():
        carried_out(task_id)
    assert Batch.progress(batch.id) == DEAD
    assert callbacks() == {"complete": 1, "death": 1}

    redrive(letter, by="ada")
    carry_out_the_rest(batch)
    assert Batch.progress(batch.id) == OVER
    assert callbacks() == {"complete": 1, "death": 1, "success": 1}


def test_a_chord_is_dead_until_each_of_its_dead_is_put_right() -> None:
    with opened() as batch:
        batch.add(CHORDS["chord"]())
    letters = [died(task_id) for task_id in jobs()]
    assert Batch.progress(batch.id) == DEAD

    redrive(letters[0], by="ada")
    carried_out(letters[0].task_id)
    assert Batch.progress(batch.id) == DEAD
    redrive(letters[1], by="ada")
    carry_out_the_rest(batch)
    assert Batch.progress(batch.id) == OVER


def test_a_chord_whose_inner_chord_dies_comes_to_its_end() -> None:
    """Outside any batch: its error callback would never be called."""
    enqueue(chord([chord([plain.si(1)], plain.si(2)), plain.si(3)], collect.s().on_error(follow.si("died"))))
    first, second = jobs()
    died(first)
    carried_out(second)

    assert set(BatchRow.objects.values_list("total", "succeeded", "dead")) == {(1, 0, 1), (2, 1, 1)}
    assert OutboxMessage.objects.filter(name="redrive.follow").count() == 1


def test_a_chord_counts_each_task_of_the_group_that_a_chain_in_it_ends_in() -> None:
    """None of them will run when the chain's first link dies."""
    enqueue(chord([chain(plain.si(1), group(plain.si(2), plain.si(3))), plain.si(4)], collect.s()))
    first, last = jobs()
    died(first)
    carried_out(last)

    row = BatchRow.objects.get()
    assert (row.total, row.succeeded, row.dead) == (3, 1, 2)
    assert row.finished_at


def test_what_is_said_of_the_whole_chain_stays_said() -> None:
    """Its error callback, and the headers of its first link."""
    with Batch() as batch:
        batch.add(chain(plain.si(1), plain.si(2)).on_error(follow.si("sorry")), headers={"trace": "abc"})
        alone = batch.add(plain.si(3), headers={"trace": "def"})
    first = OutboxMessage.objects.order_by("pk")[0]
    assert first.headers["trace"] == "abc"
    assert OutboxMessage.objects.get(task_id=alone).headers["trace"] == "def"
    carried_out(alone)
    died(first.task_id)
    assert Batch.progress(batch.id) == Progress(total=2, succeeded=1, dead=1)
    assert OutboxMessage.objects.filter(body__startswith='[["sorry"').exists()
