"""A chord, and the transaction of whoever calls it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from celery import chain, chord, group
from django.db import transaction
from kombu import Producer

from tasks import task
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.outbox import enqueue
from tasks.errors import ChordInTransaction
from tasks.execution.batch_models import Batch

LIMIT = timedelta(seconds=10)


@task("chords_test.part", time_limit=LIMIT)
def part(number: int) -> int:
    return number


@task("chords_test.whole", time_limit=LIMIT)
def whole(numbers: list[int]) -> None: ...


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what goes straight to the broker."""
    names: list[str] = []
    monkeypatch.setattr(Producer, "publish", lambda *_, **options: names.append(options["headers"]["task"]))
    return names


def canvases() -> list[Any]:
    """What Celery counts the members of."""
    parts = [part.si(1), part.si(2)]
    return [chord(parts, whole.s()), chain(group(parts), whole.s())]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", [0, 1])
def test_a_chord_that_is_sent_at_once_from_a_transaction_is_refused(published: list[str], number: int) -> None:
    """Its members may end before the commit, when nobody knows yet that they are to be counted."""
    canvas = canvases()[number]
    with transaction.atomic():
        with pytest.raises(ChordInTransaction, match="enqueue"):
            canvas.apply_async()
        assert Batch.objects.count() == 0  # the transaction is usable still
    assert published == []

    canvas.apply_async()
    assert published == ["chords_test.part"] * 2
    assert Batch.objects.get().total == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", [0, 1])
def test_one_that_is_enqueued_is_committed_together_with_its_members(published: list[str], number: int) -> None:
    with transaction.atomic():
        enqueue(canvases()[number])
    assert (Batch.objects.count(), OutboxMessage.objects.count(), published) == (1, 2, [])


@pytest.mark.django_db
def test_a_tests_own_transaction_is_none(published: list[str]) -> None:
    """Nothing of it is ever committed: there is no one to be too early for."""
    canvases()[0].apply_async()
    assert len(published) == 2
