"""What may travel in a message: JSON that arrives as it was sent, and not too much of it.

A tuple arrives as a list, an integer key as a string, an enum as its value: each a bug that shows far from its cause.
So whatever would not come back the same is refused at the call. Celery's JSON carries datetimes, dates, times, UUIDs
and decimals faithfully; those are let through.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from ..errors import PayloadRefused

FAITHFUL: Final = frozenset({type(None), bool, int, str, datetime, date, time, UUID, Decimal})
MAX_DEPTH: Final = 32


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


def _check(task: str, where: str, value: Any, depth: int) -> None:
    kind = type(value)
    if kind in FAITHFUL:
        return
    if kind is float:
        if not math.isfinite(value):
            raise PayloadRefused(task, where, f"is {value}, which JSON doesn't have")
    elif depth > MAX_DEPTH:
        raise PayloadRefused(task, where, f"is nested deeper than {MAX_DEPTH}")
    elif kind is list:
        for index, item in enumerate(value):
            _check(task, f"{where}[{index}]", item, depth + 1)
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise PayloadRefused(task, where, f"has the key {key!r}, which would arrive as a string")
            _check(task, f"{where}[{key!r}]", item, depth + 1)
    else:
        raise PayloadRefused(
            task,
            where,
            f"is a {kind.__module__}.{kind.__qualname__}, which JSON would not bring back as such{_hint(value)}",
        )


def _hint(value: Any) -> str:
    if isinstance(value, tuple | set | frozenset):
        return ": send a list"
    if hasattr(value, "pk"):
        return ": send its primary key and load it in the task"
    if isinstance(value, str | int):
        return ": send its plain value"
    return ""
