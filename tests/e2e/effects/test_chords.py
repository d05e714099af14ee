"""Chords and batches, counted in the database, with real workers."""

from __future__ import annotations

import pytest
from celery import chain, chord, group
from celery.canvas import Signature

from project.local.child import Child
from project.local.waiting import wait_until
from tasks import Batch
from tasks.enqueue.outbox import enqueue
from tests.e2e.effects import sample_chords as sample
from tests.e2e.effects.conftest import WITHIN, Diary

double, total, die, tell = sample.double, sample.total, sample.die, sample.tell


def canvas(name: str, diary: str) -> Signature[None]:
    """The canvases that the test below looks at, by name."""
    canvases = {
        "chord": chord([double.si(n) for n in range(5)], total.s(diary)),
        "group in the middle": chain(
            tell.si(diary, "before"), group(double.si(n) for n in (1, 2)), total.s(diary), tell.si(diary, "after")
        ),
        "chains as members": chord([chain(double.si(100), double.s()), double.si(1)], total.s(diary)),
        "a plain member": chord([double.si(1), sample.plain_double.si(50)], total.s(diary)),
        "dying members": chord(
            [chain(die.si(), double.s()), die.si(), double.si(1)],
            total.s(diary).on_error(tell.si(diary, "chord died")),
        ),
    }
    found: Signature[None] = canvases[name]
    return found


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("chord", ["total 20 of [0, 2, 4, 6, 8]"]),
        ("group in the middle", ["after", "before", "total 6 of [2, 4]"]),
        ("chains as members", ["total 402 of [400, 2]"]),
        ("a plain member", ["total 102 of [2, 100]"]),
        ("dying members", ["chord died"]),
    ],
)
def test_a_chord_calls_its_body_once_or_its_error_callback_once(
    worker: Child, diary: Diary, name: str, lines: list[str]
) -> None:
    """No result backend keeps anything."""
    enqueue(canvas(name, diary.name))
    assert wait_until(lambda: len(diary.lines) >= len(lines), within=WITHIN), worker.log_tail(40)
    assert diary.lines == lines


def test_a_batch_that_goes_well_calls_success_and_complete(worker: Child, diary: Diary) -> None:
    """A chain is one member, and so is a batch inside."""
    with Batch(
        complete=tell.si(diary.name, "complete"),
        success=tell.si(diary.name, "success"),
        death=tell.si(diary.name, "death"),
    ) as batch:
        for number in range(5):
            batch.add(double.si(number))
        batch.add(chain(double.si(1), double.s()))
        with batch.nested(success=tell.si(diary.name, "inner")) as inner:
            inner.add(double.si(5))
    assert wait_until(lambda: len(diary.lines) >= 3, within=WITHIN), (diary.lines, worker.log_tail(40))
    assert diary.lines == ["complete", "inner", "success"]
    progress = Batch.progress(batch.id)
    assert (progress.total, progress.succeeded, progress.dead, progress.pending) == (7, 7, 0, 0)


def test_a_batch_with_dead_members_calls_death_once_and_complete(worker: Child, diary: Diary) -> None:
    with Batch(
        complete=tell.si(diary.name, "complete"),
        success=tell.si(diary.name, "success"),
        death=tell.si(diary.name, "death"),
    ) as batch:
        batch.add(chain(die.si(), double.si(1)))
        batch.add(die.si())
        batch.add(double.si(1))
    assert wait_until(lambda: len(diary.lines) >= 2, within=WITHIN), (diary.lines, worker.log_tail(40))
    assert diary.lines == ["complete", "death"]
    progress = Batch.progress(batch.id)
    assert (progress.total, progress.succeeded, progress.dead) == (3, 1, 2)


def test_an_empty_batch_is_over_at_once(worker: Child, diary: Diary) -> None:
    with Batch(complete=tell.si(diary.name, "complete")):
        pass
    assert wait_until(lambda: diary.lines == ["complete"], within=WITHIN), worker.log_tail(40)
