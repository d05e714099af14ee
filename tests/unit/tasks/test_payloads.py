"""What may travel in a message: whatever is let through arrives as it was sent."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy
from hypothesis import example, given
from hypothesis import strategies as st
from kombu.serialization import dumps, loads, prepare_accept_content
from kombu.utils import json as kombu_json

from tasks.enqueue.payloads import _PROBLEMS, FAITHFUL, MAX_DEPTH, check_payload
from tasks.errors import PayloadRefused

PLENTY = 10**9
ENVELOPE = {"__type__": "decimal", "__value__": "1"}


class Colour(enum.StrEnum):
    RED = "red"


class Point(NamedTuple):
    x: int


class Row:
    pk = 3


class NoOffset(tzinfo):
    """A zone that doesn't say how far it is from UTC."""

    def utcoffset(self, moment: datetime | None) -> None:
        return None

    dst = utcoffset

    def tzname(self, moment: datetime | None) -> str:
        return "nowhere"


offsets = st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59)).map(timezone)
zones = st.none() | st.timezones() | offsets | st.just(NoOffset())
words = st.text(st.characters())  # lone surrogates too
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | words
    | st.datetimes(timezones=zones)
    | st.dates()
    | st.times(timezones=zones)
    | st.decimals()
    | st.uuids()
    | st.binary()
    | st.sampled_from(Colour)
    | st.builds(Point, st.integers())
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner)
        | st.frozensets(st.integers())
        | st.dictionaries(words | st.integers() | st.none(), inner, max_size=4)
        | st.fixed_dictionaries({"__type__": st.sampled_from(["decimal", "mine"]), "__value__": inner})
    ),
    max_leaves=12,
)


def arrived(value: Any) -> Any:
    """*value* after the way that Celery sends it: kombu's registered JSON, as bytes on the wire."""
    content_type, encoding, body = dumps(value, "json")
    return loads(body.encode(encoding), content_type, encoding, accept=prepare_accept_content(["json"]))


def same(sent: Any, back: Any) -> Any:
    """Equal and of equal types, all the way down. Datetimes in zones are the same when instant and offset are."""
    if type(sent) is not type(back):
        return False
    if isinstance(sent, list):
        return len(sent) == len(back) and all(map(same, sent, back))
    if isinstance(sent, dict):
        return list(sent) == list(back) and all(same(sent[key], back[key]) for key in sent)
    if isinstance(sent, datetime):
        return sent.replace(tzinfo=None) == back.replace(tzinfo=None) and sent.utcoffset() == back.utcoffset()
    return sent == back


def check(value: Any, *, max_bytes: int = PLENTY) -> None:
    check_payload("shop.sell", [value], {}, max_bytes=max_bytes)


@given(values)
@example(10**5000)
@example({"__type__": "mine", "__value__": 1})
@example(time(1, 2, tzinfo=ZoneInfo("Europe/Berlin")))
@example(datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")))
@example("\ud800")
def test_what_is_let_through_arrives_as_it_was_sent(value: Any) -> None:
    """A value that changes on its way is a bug that shows in another process, another day."""
    try:
        check(value)
    except PayloadRefused:
        return

    assert same(value, arrived(value))


@given(values)
def test_what_is_refused_names_its_place(value: Any) -> None:
    """Deep in a structure, "not JSON" alone sends people searching; the place named holds what is refused."""
    try:
        check(value)
    except PayloadRefused as refused:
        path = refused.where.removeprefix("argument 0")
        there = eval(f"value{path}", {"value": value})  # noqa: S307 -- the path is our own error's
    else:
        return

    with pytest.raises(PayloadRefused, match=r"^shop\.sell: argument 0 "):
        check(there)


def test_every_type_that_kombu_carries_is_known() -> None:
    """A type that kombu learns, and we refuse, would be a needless limit."""
    assert set(vars(kombu_json)["_encoders"]) <= FAITHFUL | _PROBLEMS.keys()


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1.5,
        "é\ud800",
        [1, [2, {"a": None}]],
        {"__type__": "decimal"},
        date(2024, 2, 29),
        datetime(2024, 2, 29, 12, 30),  # noqa: DTZ001 -- naive on purpose
        datetime(2024, 2, 29, 12, 30, tzinfo=UTC),
        datetime(2024, 7, 1, 12, 30, tzinfo=ZoneInfo("Europe/Berlin")),
        time(23, 59, 59, 999999),
        Decimal("1.50"),
        Decimal("Infinity"),
        UUID(int=7),
    ],
)
def test_a_faithful_value_passes(value: Any) -> None:
    """Guards the property above: a check that refuses everything would satisfy it."""
    check(value)
    assert same(value, arrived(value))


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ((1, 2), "argument 0 is a builtins.tuple, which JSON would not bring back as such: send a list"),
        ({1, 2}, "argument 0 is a builtins.set, which JSON would not bring back as such: send a list"),
        ({"a": [{3: 4}]}, "argument 0['a'][0] has the key 3, which would arrive as a string"),
        ({None: 4}, "argument 0 has the key None, which would arrive as a string"),
        ([float("nan")], "argument 0[0] is nan, which JSON doesn't have"),
        ([float("-inf")], "argument 0[0] is -inf, which JSON doesn't have"),
        (Decimal("NaN"), "argument 0 is NaN, which equals nothing, not even itself"),
        pytest.param(1 << 20_000, "argument 0 is an integer of more digits than Python reads back", id="huge integer"),
        (ENVELOPE, "argument 0 has the keys by which kombu marks its own types: name one otherwise"),
        (time(1, tzinfo=NoOffset()), "argument 0 has a time zone without an offset, which would be lost"),
        (b"\xff", "argument 0 is a builtins.bytes, which JSON would not bring back as such: keep it in storage"),
    ],
)
def test_a_refusal_says_why_and_what_to_send(value: Any, sentence: str) -> None:
    """The sentence is all that the caller sees."""
    with pytest.raises(PayloadRefused) as refused:
        check(value)

    assert str(refused.value).startswith(f"shop.sell: {sentence}")


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (Colour.RED, "send its plain value"),
        (mark_safe("<b>"), "send its plain value"),
        (Row(), "send its primary key and load it in the task"),
        (Point(3), "send a list"),
        (gettext_lazy("red"), "JSON would not bring back"),
    ],
)
def test_what_looks_like_a_plain_value_and_is_not_is_refused(value: Any, hint: str) -> None:
    """An enum arrives as its text, a model not at all, a lazy translation in the worker's language."""
    with pytest.raises(PayloadRefused, match=hint):
        check(value)


def test_a_structure_that_holds_itself_is_refused() -> None:
    """The depth has an end, so the check has one."""
    endless: list[Any] = []
    endless.append(endless)

    with pytest.raises(PayloadRefused, match=f"is nested deeper than {MAX_DEPTH}"):
        check(endless)


def test_keyword_arguments_are_named() -> None:
    """Most calls have them."""
    with pytest.raises(PayloadRefused, match=r"shop\.sell: argument 'colours'\[1\] is a"):
        check_payload("shop.sell", [], {"colours": ["red", Colour.RED]}, max_bytes=PLENTY)


@given(st.text(max_size=50))
def test_the_bound_is_on_the_text_that_is_sent(text: str) -> None:
    """Bytes on the wire, not characters: what the broker must hold."""
    size = len(dumps([[text], {}], "json")[2].encode())

    check(text, max_bytes=size)
    with pytest.raises(PayloadRefused, match=f"the arguments take {size} bytes, more than {size - 1}: send an id"):
        check(text, max_bytes=size - 1)
