"""What a member returns keeps it from no end, and comes to a chord's body as it would come to a chain's link."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from celery import chord
from kombu.utils.json import loads

from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.outbox import enqueue
from tasks.errors import PayloadRefused
from tasks.execution.batch_models import BatchMember
from tests.integration.tasks.attempts.delivering import job
from tests.integration.tasks.batches.counting import carried_out, jobs, opened
from tests.integration.tasks.redrive import dying

pytestmark = pytest.mark.django_db(transaction=True)

CARRIED: list[Any] = [
    Decimal("1.50"),
    UUID(int=7),
    datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    "a NUL \x00, half a pair \ud800, and \N{PILE OF POO}",
    1e16,
    {"tasks_result": [None, True]},
]


def chord_of(size: int) -> list[str]:
    enqueue(chord([dying.plain.si(number) for number in range(size)], dying.collect.s()))
    return jobs()


def returns(result: Any) -> None:
    dying.in_body["now"] = lambda: result


def given_to_the_body() -> Any:
    args, _, _ = loads(OutboxMessage.objects.get(name="redrive.collect").body)
    return args[0]


def test_a_chords_body_is_given_whatever_a_message_can_carry() -> None:
    members = chord_of(len(CARRIED))
    for member, result in zip(members, CARRIED, strict=True):
        returns(result)
        carried_out(member)

    given = given_to_the_body()
    assert given == CARRIED
    assert [type(result) for result in given] == [type(result) for result in CARRIED]


@pytest.mark.parametrize("result", [*CARRIED, float("nan"), {1, 2}, b"bytes"], ids=repr)
def test_a_member_of_a_batch_may_return_anything(result: Any) -> None:
    """Nobody collects it; it would succeed alone."""
    with opened() as batch:
        member = batch.add(dying.plain.si(1))
    returns(result)
    carried_out(member)

    assert job(member).state == "succeeded"
    assert batch.progress(batch.id).succeeded == 1


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        (float("nan"), "nan, which JSON doesn't have"),
        (b"bytes", "keep it in storage"),
        ({"deep": {1, object()}}, "return plain data"),
    ],
    ids=["nan", "bytes", "objects"],
)
def test_a_member_whose_result_the_body_cannot_be_given_dies_of_it_and_no_other(result: Any, problem: str) -> None:
    """The last one would die for it otherwise, whose own result is good."""
    first, last = chord_of(2)
    returns(result)
    refusal = carried_out(first)
    assert isinstance(refusal, PayloadRefused)
    assert problem in str(refusal)
    assert f"chord member {first}: its result" in str(refusal)

    returns("good")
    carried_out(last)
    assert (job(first).state, job(last).state) == ("dead", "succeeded")


@pytest.mark.parametrize("result", [7, "7", "text", [1, "two"], None, {"a": 1}], ids=repr)
def test_a_result_that_was_written_as_plain_json_is_read(result: Any) -> None:
    """By a worker of the release before, in the middle of the chord."""
    first, last = chord_of(2)
    carried_out(first)
    BatchMember.objects.filter(task_id=first).update(result=result)
    carried_out(last)

    assert given_to_the_body() == [result, "result"]
