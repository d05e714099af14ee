"""A batch's callback is part of the transaction in which the batch is over, whoever knows its task."""

from __future__ import annotations

from typing import Any

import pytest
from celery import chord, group, signature
from django.db import transaction
from kombu import Producer

from tasks import Batch
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.outbox import enqueue
from tests.integration.tasks.batches.counting import carried_out, jobs
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import died

pytestmark = pytest.mark.django_db(transaction=True)


ELSEWHERE = "elsewhere.tell"  # of other workers


class Undone(Exception):
    """Rolls a transaction back."""


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of tasks whose messages went straight to the broker."""
    names: list[str] = []
    monkeypatch.setattr(Producer, "publish", lambda self, body, **given: names.append(given["headers"]["task"]))
    return names


@pytest.mark.parametrize("when", ["complete", "success", "death"])
def test_a_callback_is_written_to_the_outbox(published: list[str], when: str) -> None:
    """Sent at once, it would run before what it tells of is committed, or though that is rolled back."""
    callbacks: dict[str, Any] = {when: signature(ELSEWHERE, args=(7,), immutable=True)}
    with Batch(**callbacks) as batch:
        member = batch.add(dying.plain.si(1))
    if when == "death":
        died(member)
    else:
        carried_out(member)

    assert published == []
    assert OutboxMessage.objects.get(name=ELSEWHERE).body.startswith("[[7]")


def test_a_chords_body_is_written_to_the_outbox(published: list[str]) -> None:
    body = signature(ELSEWHERE)
    enqueue(chord([dying.plain.si(1)], group(body, body)))
    carried_out(*jobs())

    assert published == []
    assert [row.body[:13] for row in OutboxMessage.objects.filter(name=ELSEWHERE)] == ['[[["result"]]'] * 2


def test_a_callback_of_a_batch_that_is_rolled_back_is_nowhere(published: list[str]) -> None:
    with pytest.raises(Undone), transaction.atomic():
        with Batch(complete=signature(ELSEWHERE)):
            pass
        raise Undone
    assert published == []
    assert not OutboxMessage.objects.exists()
