"""Waiting on a condition, never on the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

T = TypeVar("T")

PAUSE: Final = timedelta(milliseconds=20)


def eventually(
    probe: Callable[[], T],
    *,
    within: timedelta = timedelta(seconds=20),
    because: Callable[[], str] = lambda: "",
) -> T:
    """Ask *probe* again and again until its answer is true, and return that.

    Raises AssertionError with the last answer, and what *because* says then, if it isn't true *within* that time.
    """
    deadline = time.monotonic() + within.total_seconds()
    while not (answer := probe()):
        if time.monotonic() >= deadline:
            raise AssertionError(
                f"not within {within.total_seconds():g} s; the last answer was {answer!r}. {because()}"
            )
        time.sleep(PAUSE.total_seconds())
    return answer
