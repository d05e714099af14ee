"""A member of a batch or chord that died and is redriven is one that has not ended yet."""

from __future__ import annotations

import json

import pytest
from celery import chain, chord, signature

from tasks import Batch
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.outbox import enqueue
from tasks.execution.batch import Progress
from tasks.execution.redrive import redrive
from tasks.failure.letter_models import DeadLetter
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import delivered, died, sent

pytestmark = pytest.mark.django_db(transaction=True)


def callbacks() -> dict[str, int]:
    """How many of each were enqueued."""
    written = OutboxMessage.objects.filter(name="redrive.follow").values_list("body", flat=True)
    words = [word for body in written for word in ("complete", "success", "death") if f'"{word}"' in body]
    return {word: words.count(word) for word in set(words)}


def opened() -> Batch:
    return Batch(
        complete=dying.follow.si("complete"), success=dying.follow.si("success"), death=dying.follow.si("death")
    )


def letter_of(task_id: str) -> DeadLetter:
    return DeadLetter.objects.get(task_id=task_id)


def test_success_comes_when_the_last_one_is_put_right_and_everything_else_once() -> None:
    """Complete and death were told; they are not told again, not even when it dies once more on the way."""
    with opened() as batch:
        first, second, third = (batch.add(dying.plain.si(number)) for number in range(3))
    died(first)
    died(second)
    delivered(sent(third))
    assert Batch.progress(batch.id) == Progress(total=3, succeeded=1, dead=2)
    assert callbacks() == {"complete": 1, "death": 1}

    redrive(letter_of(first), by="ada")
    assert Batch.progress(batch.id) == Progress(total=3, succeeded=1, dead=1)
    died(first)
    redrive(letter_of(first), by="ada")
    delivered(sent(first))
    assert Batch.progress(batch.id) == Progress(total=3, succeeded=2, dead=1)
    assert callbacks() == {"complete": 1, "death": 1}

    redrive(letter_of(second), by="ada")
    delivered(sent(second))
    assert Batch.progress(batch.id) == Progress(total=3, succeeded=3, dead=0)
    assert callbacks() == {"complete": 1, "death": 1, "success": 1}


def test_a_member_that_is_redriven_before_the_others_have_ended_holds_the_batch_open() -> None:
    """It isn't over while one of its members is on its way again."""
    with opened() as batch:
        first, second = (batch.add(dying.plain.si(number)) for number in range(2))
    died(first)
    redrive(letter_of(first), by="ada")
    delivered(sent(second))
    assert callbacks() == {"death": 1}
    delivered(sent(first))

    assert callbacks() == {"complete": 1, "death": 1, "success": 1}


def test_the_end_of_a_chain_that_can_be_reached_again_is_taken_back() -> None:
    """The member is the chain; what died is its first link."""
    with opened() as batch:
        batch.add(chain(dying.plain.si(1), dying.plain.si(2)))
    first = OutboxMessage.objects.get(name="redrive.plain").task_id
    died(first)
    assert Batch.progress(batch.id).dead == 1

    redrive(letter_of(first), by="ada")
    assert Batch.progress(batch.id) == Progress(total=1, succeeded=0, dead=0)
    delivered(sent(first))
    last = OutboxMessage.objects.filter(name="redrive.plain").exclude(task_id=first).get()
    delivered(sent(last.task_id))
    assert Batch.progress(batch.id) == Progress(total=1, succeeded=1, dead=0)
    assert callbacks() == {"complete": 1, "death": 1, "success": 1}


def test_a_chain_that_ends_in_a_chord_whose_body_is_the_member_is_taken_back() -> None:
    """The member's end is hidden inside a link that was never begun."""
    with opened() as batch:
        batch.add(chain(dying.plain.si(1), dying.plain.si(2)))
    first = OutboxMessage.objects.get(name="redrive.plain")
    args, kwargs, follows = json.loads(first.body)
    (link,) = follows["chain"]
    body = {**link, "options": dict(link["options"])}
    follows["chain"] = [dict(chord([dying.follow.si("member")], signature(body)))]
    OutboxMessage.objects.filter(pk=first.pk).update(body=json.dumps([args, kwargs, follows]))
    died(first.task_id)
    assert Batch.progress(batch.id).dead == 1

    redrive(letter_of(first.task_id), by="ada")
    assert Batch.progress(batch.id) == Progress(total=1, succeeded=0, dead=0)


def test_the_batches_around_it_are_as_they_were_too() -> None:
    """A nested batch was a dead member of the one around it, and is one that has not ended."""
    with opened() as outer, outer.nested() as inner:
        first, second = (inner.add(dying.plain.si(number)) for number in range(2))
    died(first)
    died(second)
    assert Batch.progress(outer.id) == Progress(total=1, succeeded=0, dead=1)

    for task_id in (first, second):
        redrive(letter_of(task_id), by="ada")
    assert Batch.progress(outer.id) == Progress(total=1, succeeded=0, dead=0)
    for task_id in (first, second):
        delivered(sent(task_id))
    assert Batch.progress(outer.id) == Progress(total=1, succeeded=1, dead=0)
    assert callbacks() == {"complete": 1, "death": 1, "success": 1}


def test_a_chords_body_runs_when_its_last_member_is_put_right() -> None:
    """With the results of all, in their order, as if none had ever died."""
    enqueue(chord([dying.plain.si(number) for number in range(3)], dying.collect.s()))
    members = list(OutboxMessage.objects.filter(name="redrive.plain").order_by("pk").values_list("task_id", flat=True))
    died(members[1])
    delivered(sent(members[0]))
    delivered(sent(members[2]))
    assert not OutboxMessage.objects.filter(name="redrive.collect").exists()

    redrive(letter_of(members[1]), by="ada")
    delivered(sent(members[1]))
    collected = OutboxMessage.objects.get(name="redrive.collect")
    assert '[["result", "result", "result"]]' in collected.body
