"""Whoever redrives many and the workers never wait for each other: each goes from the inside outwards."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from celery import chord
from django.db import connection, connections, transaction

from tasks import Batch
from tasks.execution.batch import Progress
from tasks.execution.batch_models import Batch as BatchRow
from tasks.execution.redrive import redrive_all
from tasks.failure.letter_filters import LetterFilter
from tasks.testing.waiting import eventually
from tests.integration.tasks.batches.counting import jobs
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import died

pytestmark = pytest.mark.django_db(transaction=True)

plain = dying.plain


def with_a_nested_batch(outer: Batch) -> str:
    with outer.nested() as inner:
        inner.add(plain.si(2))
    return inner.id


def with_a_chord(outer: Batch) -> str:
    outer.add(chord([plain.si(2)], plain.si(3)))
    return BatchRow.objects.exclude(id=outer.id).get().id


def locked(batch_id: str) -> None:
    BatchRow.objects.select_for_update(no_key=True, nowait=True).get(id=batch_id)


def somebody_waits() -> bool:
    """For this connection. Not asked of pg_stat_activity, which stays the same within a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
        )
        return bool(cursor.fetchone()[0])


def redriven() -> int:
    try:
        return redrive_all(LetterFilter(), by="ada").count
    finally:
        connections.close_all()


@pytest.mark.parametrize("inner_of", [with_a_nested_batch, with_a_chord], ids=["nested batch", "chord"])
def test_a_redrive_holds_no_outer_batch_while_it_waits_for_an_inner_one(inner_of: Callable[[Batch], Any]) -> None:
    """A member of each; the outer one's died first, and is redriven first. A worker has counted in the inner one."""
    with Batch() as outer:
        outer.add(plain.si(1))
        inner = inner_of(outer)
    for task_id in jobs():
        died(task_id)
    assert Batch.progress(outer.id) == Progress(total=2, succeeded=0, dead=2)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            locked(inner)
            redriving = pool.submit(redriven)
            eventually(lambda: redriving.done() or somebody_waits())
            assert not redriving.done(), redriving.exception()
            locked(outer.id)
        assert redriving.result(timeout=60) == 2
    assert Batch.progress(outer.id) == Progress(total=2, succeeded=0, dead=0)
    assert Batch.progress(inner).dead == 0
