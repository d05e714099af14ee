"""What may travel in a message: JSON that arrives as it was sent, and not too much of it.

A tuple arrives as a list, an integer key as a string, an enum as its value: each a bug that shows far from its cause.
So whatever would not come back the same is refused at the call. Celery's JSON carries datetimes, dates, times, UUIDs
and decimals faithfully; those are let through. A datetime in a named time zone arrives as the same instant, with the
offset that the zone had then.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from ..errors import PayloadRefused

FAITHFUL: Final = frozenset({type(None), bool, str, date, UUID})
MAX_DEPTH: Final = 32

# Python neither writes nor reads integers of more than 4,300 digits as text.
MAX_INT_BITS: Final = 14_000

# How kombu marks a value that JSON has no form for.
ENVELOPE: Final = frozenset({"__type__", "__value__"})


def check_payload(task: str, args: Sequence[Any], kwargs: Mapping[str, Any], *, max_bytes: int) -> None:
    """Raise PayloadRefused for the first argument that would not arrive as it was sent.

    max_bytes: bound on the JSON text of all arguments together.
    """
    for position, value in enumerate(args):
        _check(task, f"argument {position}", value, 0)
    for name, value in kwargs.items():
        _check(task, f"argument {name!r}", value, 0)
    size = len(json.dumps([args, dict(kwargs)], default=str))
    if size > max_bytes:
        raise PayloadRefused(
            task,
            "the arguments",
            f"take {size} bytes, more than {max_bytes}: send an id and keep the bytes in the database or in storage",
        )


def check_value(task: str, where: str, value: Any) -> None:
    """Raise PayloadRefused when *value* would not arrive as it is; *where* says what it is to *task*."""
    _check(task, where, value, 0)


def _check(task: str, where: str, value: Any, depth: int) -> None:
    kind = type(value)
    if kind in (list, dict) and depth > MAX_DEPTH:
        raise PayloadRefused(task, where, f"is nested deeper than {MAX_DEPTH}")
    if kind is list:
        for index, item in enumerate(value):
            _check(task, f"{where}[{index}]", item, depth + 1)
    elif kind is dict:
        _check_keys(task, where, value)
        for key, item in value.items():
            _check(task, f"{where}[{key!r}]", item, depth + 1)
    elif kind in _PROBLEMS:
        if problem := _PROBLEMS[kind](value):
            raise PayloadRefused(task, where, problem)
    elif kind not in FAITHFUL:
        name = f"{kind.__module__}.{kind.__qualname__}"
        raise PayloadRefused(task, where, f"is a {name}, which JSON would not bring back as such{_hint(value)}")


def _check_keys(task: str, where: str, mapping: Mapping[Any, Any]) -> None:
    for key in mapping:
        if type(key) is not str:
            raise PayloadRefused(task, where, f"has the key {key!r}, which would arrive as a string")
    if mapping.keys() == ENVELOPE:
        raise PayloadRefused(task, where, "has the keys by which kombu marks its own types: name one otherwise")


def _int_problem(value: int) -> str:
    return "is an integer of more digits than Python reads back" if value.bit_length() > MAX_INT_BITS else ""


def _float_problem(value: float) -> str:
    return "" if math.isfinite(value) else f"is {value}, which JSON doesn't have"


def _decimal_problem(value: Decimal) -> str:
    return f"is {value}, which equals nothing, not even itself" if value.is_nan() else ""


def _clock_problem(value: datetime | time) -> str:
    offset = value.utcoffset()
    if value.tzinfo is not None and offset is None:
        return "has a time zone without an offset, which would be lost"
    if offset is not None and offset.microseconds:
        return f"is {offset} away from UTC, of which the part of a second would be lost"
    return ""


# The kinds of which some values arrive as they were sent: each with what says why one would not, or "".
_PROBLEMS: Final[dict[type, Callable[[Any], str]]] = {
    int: _int_problem,
    float: _float_problem,
    Decimal: _decimal_problem,
    datetime: _clock_problem,
    time: _clock_problem,
}


def _hint(value: Any) -> str:
    if isinstance(value, tuple | set | frozenset):
        return ": send a list"
    if isinstance(value, bytes | bytearray | memoryview):
        return ": keep it in storage and send its name"
    if hasattr(value, "pk"):
        return ": send its primary key and load it in the task"
    if isinstance(value, str | int):
        return ": send its plain value"
    return ""
