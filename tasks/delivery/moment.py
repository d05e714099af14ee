"""When a channel speaks to the server: soon enough for everybody, and no more often than that.

Speaking is a claim. It carries what is to be told and asks for as much as there is room for, so little room, or few
acknowledgements, may wait for more to come together.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

PATIENCE: Final = 0.1
"""Seconds for which a claim for little is put off."""


class Moment:
    """Whether now is the moment, for one channel."""

    most_waiting = 0
    """How many messages of a Celery worker wait for a free process, at most; not counting what waits for its time."""

    def __init__(self) -> None:
        self.has_idle_process: Callable[[], bool] = _unknown
        self._hurried = False
        self._spoke_at = 0.0

    def hurry(self) -> None:
        """What was acknowledged is told with the next turn of the event loop, though the worker is busy."""
        self._hurried = True

    def spoken(self) -> None:
        """It was used."""
        self._hurried, self._spoke_at = False, time.monotonic()

    def to_tell(self, lease: Any, *, busy: bool) -> bool:
        """Whether something must be told now: anything but acknowledgements, and those unless the worker is *busy*.

        Those of a busy worker go with the start of its next job or with its next claim, or with the keeper's word if
        neither comes in time.
        """
        if lease is None:
            return False
        if lease.forgotten or lease.chores:
            return True
        return bool(lease.acks) and (self._hurried or not busy)

    def to_ask(self, room: int) -> float | None:
        """In how many seconds to ask for messages; None without room.

        One message at a time would cost a call each, so half of what waits for a process is used up first. What waits
        for something else, a rate limit for one, must not stop the rest: so at once if a process is known to be idle,
        and only for a moment anyway.
        """
        if room <= 0:
            return None
        if room * 2 > self.most_waiting or self.has_idle_process():
            return 0.0
        return max(0.0, self._spoke_at + PATIENCE - time.monotonic())


def _unknown() -> bool:
    """Only prefork knows."""
    return False
