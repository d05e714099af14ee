"""What one process knows of a circuit, so that a healthy task pays nothing a job.

At most every LOOK_EVERY, when a job comes, the circuit is read: one SELECT. Successes are counted here, and told only
while something fails; a failure is told at once. So a job of a healthy task costs no statement of its own, and an open
circuit is known everywhere within LOOK_EVERY, and at once to whoever fails.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from threading import Lock
from typing import Final

from ..conf import conf
from .budget import RetryBudget
from .circuit import circuit_change, circuit_look
from .circuit_state import LOOK_EVERY, Standing, State, asked, pause_of, probed, told


@dataclass(frozen=True, slots=True)
class Held:
    """The job must not be run now, or what came of it not be counted: let it come again after *wait*."""

    wait: timedelta


@dataclass(frozen=True, slots=True)
class Permit:
    """The job may be run; say how it ended. round: of a probe, else None."""

    breaker: Breaker
    round: int | None = None

    def succeeded(self) -> None:
        """The upstream did what it is for, whatever became of the job."""
        self.breaker.succeeded(self.round)

    def failed(self) -> Held | None:
        """The attempt failed. Held when the circuit is open now: then the attempt isn't counted."""
        return self.breaker.failed(self.round)


class Breaker:
    """A task's circuit as this process sees it. For use by several threads."""

    def __init__(self, name: str, budget: RetryBudget, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.name, self._declared, self._monotonic = name, budget, monotonic
        self._lock = Lock()
        self._standing: Standing | None = None
        self._looked = self._until = self._counted_since = float("-inf")
        self._succeeded = 0

    def admit(self) -> Permit | Held:
        """Whether a job may be run now."""
        with self._lock:
            now = self._monotonic()
            if now - self._looked >= LOOK_EVERY.total_seconds():
                self._look(now)
            if self._standing is None or self._standing.state is State.CLOSED:
                return Permit(self)
            if now < self._until and self._standing.permits < 1:
                return self._held()
            return self._ask()

    def succeeded(self, round: int | None) -> None:  # noqa: A002
        """An attempt succeeded: counted here, unless it was a probe."""
        with self._lock:
            if round is None:
                self._succeeded += 1
            else:
                self._change(partial(probed, budget=self._budget, round=round, succeeded=True))

    def failed(self, round: int | None) -> Held | None:  # noqa: A002
        """An attempt failed: told at once, with the successes that were counted here."""
        with self._lock:
            if round is not None:
                self._change(partial(probed, budget=self._budget, round=round, succeeded=False))
            else:
                self._tell(failed=1)
            return self._held() if self._standing and self._standing.state is not State.CLOSED else None

    @property
    def _budget(self) -> RetryBudget:
        return self._declared.scaled(conf().retry_time_scale)

    def _look(self, now: float) -> None:
        """Read the circuit; tell what was counted, if anybody wants to know, and forget what is past the window."""
        found = circuit_look(self.name)
        self._looked = now
        if found is not None and found.is_watched:
            self._standing = found
            self._tell(failed=0)
        else:
            self._standing = None
            if now - self._counted_since > self._declared.window.total_seconds():
                self._succeeded, self._counted_since = 0, now

    def _ask(self) -> Permit | Held:
        granted = False

        def change(standing: Standing, *, now: object) -> Standing:
            nonlocal granted
            standing, granted = asked(standing, self._budget, now=now)  # type: ignore[arg-type]
            return standing

        found = self._change(change)
        if not granted:
            return self._held()
        return Permit(self, None if found.state is State.CLOSED else found.round)

    def _tell(self, *, failed: int) -> None:
        succeeded, self._succeeded = self._succeeded, 0
        self._counted_since = self._monotonic()
        self._change(partial(told, budget=self._budget, succeeded=succeeded, failed=failed))

    def _change(self, change: Callable[..., Standing]) -> Standing:
        self._standing, now = circuit_change(self.name, lambda standing, now: change(standing, now=now))
        self._looked = self._monotonic()
        left = (self._standing.until_at - now).total_seconds() if self._standing.until_at else 0.0
        self._until = self._looked + left
        return self._standing

    def _held(self) -> Held:
        """Until the pause is over, and then at any moment within another: not all at once."""
        if self._standing is None:
            return Held(timedelta(0))
        left = max(0.0, self._until - self._monotonic())
        spread = pause_of(self._standing, self._budget).total_seconds() * random.random()  # noqa: S311
        return Held(timedelta(seconds=left + spread))


_breakers: Final[dict[str, Breaker]] = {}


def breaker_of(name: str, budget: RetryBudget) -> Breaker:
    """This process's breaker of the task *name*."""
    found = _breakers.get(name)
    if found is None:
        found = _breakers.setdefault(name, Breaker(name, budget))
    return found
