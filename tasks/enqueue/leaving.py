"""What the relay leaves alone for a while. Kept in its memory: another relay, or a new one, finds out by itself."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from datetime import timedelta
from time import monotonic
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Leaving(Generic[K]):
    """Things that are left alone, each for *wait* from when it was added."""

    def __init__(self, wait: timedelta) -> None:
        self._wait = wait.total_seconds()
        self._until: dict[K, float] = {}

    def add(self, things: Iterable[K]) -> None:
        """Leave these alone from now on."""
        until = monotonic() + self._wait
        self._until.update((thing, until) for thing in things)

    def clear(self) -> None:
        """Leave nothing alone any more."""
        self._until.clear()

    def now(self) -> list[K]:
        """What is to be left alone now."""
        at = monotonic()
        self._until = {thing: until for thing, until in self._until.items() if until > at}
        return list(self._until)
