"""A body is decoded as kombu decodes it, and given to a job as its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from kombu import serialization
from kombu.exceptions import ContentDisallowed, DecodeError
from kombu.message import Message
from kombu.utils import json as kombu_json

from tasks.delivery.strategy import JSON, _copied, _payload, nobody_listens

PLAIN: dict[str, Any] = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def message(body: Any, accept: frozenset[str] | None = frozenset({JSON})) -> Message:
    return Message(body=body, content_type=JSON, content_encoding="utf-8", accept=accept)


@pytest.mark.parametrize("as_bytes", [True, False])
def test_it_is_decoded_once_and_to_what_kombu_makes_of_it(as_bytes: bool) -> None:
    """Types of its own included."""
    body = [[1, "ü", dt.datetime.now(dt.UTC), Decimal("1.10"), uuid4(), b"\xff", None], {"a": {"b": [2.5]}}, PLAIN]
    text = kombu_json.dumps(body)
    taken = message(text.encode() if as_bytes else text)
    assert _payload(taken) == body == kombu_json.loads(text)
    assert _payload(taken) is taken.payload


@pytest.mark.parametrize("body", ["[[1, {}", '{"__type__": "nobody\'s", "__value__": 1}', b"\xff\xfe"])
def test_what_can_not_be_decoded_is_kombus_error(body: Any) -> None:
    """It is known to everybody who handles one."""
    with pytest.raises(DecodeError):
        _payload(message(body))


def test_what_the_consumer_does_not_accept_is_not_decoded() -> None:
    """`accept_content` is a promise."""
    with pytest.raises(ContentDisallowed):
        _payload(message("[[], {}, {}]", accept=frozenset({"application/x-yaml"})))


@pytest.fixture
def other_json() -> Iterator[None]:
    """Somebody has registered a codec of his own for JSON."""
    serialization.register("json", kombu_json.dumps, lambda data: ["his own"], JSON, "utf-8")
    yield
    serialization.register_json()


@pytest.mark.usefixtures("other_json")
def test_somebodys_own_json_is_used() -> None:
    """A faster one, or one that reads more."""
    assert _payload(message("[]")) == ["his own"]


def test_a_job_gets_arguments_of_its_own() -> None:
    """It may change them, and the message is still what it was."""
    payload = [[1, "a", None, 2.5, True], {"name": "b"}, PLAIN]
    arguments, named, after = _copied(payload) or pytest.fail("not copied")
    assert [arguments, named, after] == payload
    assert arguments is not payload[0]
    assert named is not payload[1]


@pytest.mark.parametrize(
    "payload",
    [
        [[[1]], {}, PLAIN],
        [[], {"a": {}}, PLAIN],
        [[Decimal(1)], {}, PLAIN],
        [[], {}, PLAIN | {"chain": [{"task": "next"}]}],
        [None, {}, PLAIN],
        [[], {}, None],
        ["ab", {}, PLAIN],
    ],
)
def test_where_there_is_more_in_it_it_is_decoded_once_more(payload: list[Any]) -> None:
    """What is inside could be changed by the job, or, what follows it, by Celery."""
    assert _copied(payload) is None


@pytest.mark.parametrize(("groups", "listens"), [((), True), (("worker",), False), (("worker", "task"), True)])
def test_who_is_asked_to_tell_of_jobs_tells_of_them(groups: tuple[str, ...], listens: bool) -> None:
    """As Celery's dispatcher has it: no group at all means all of them."""
    assert nobody_listens(SimpleNamespace(groups=set(groups))) is not listens
