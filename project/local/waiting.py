"""Waiting on a condition, never on the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

PAUSE = timedelta(milliseconds=20)


def wait_until(condition: Callable[[], object], *, within: timedelta, pause: timedelta = PAUSE) -> bool:
    """Ask *condition* again and again until it holds. Returns False if it did not hold *within* that time."""
    deadline = time.monotonic() + within.total_seconds()
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause.total_seconds())
    return True
