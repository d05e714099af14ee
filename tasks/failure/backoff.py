"""How long to wait before the next attempt.

`RetryPolicy()` waits exponentially with full jitter: a wait drawn evenly between zero and the step's ceiling,
which spreads a crowd of failed jobs best. `RetryPolicy.after(...)` waits what it is told.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

ZERO = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When to try again, and how often.

    max_retries: attempts after the first one.
    first: ceiling of the first wait; each further one doubles it, up to *cap*.
    delays: explicit waits, one for each retry, without jitter; `RetryPolicy.after(...)` counts them.
    """

    max_retries: int = 5
    first: timedelta = timedelta(seconds=2)
    cap: timedelta = timedelta(minutes=10)
    delays: tuple[timedelta, ...] = ()

    def __post_init__(self) -> None:
        if self.max_retries < 0:
            raise ValueError(f"max_retries must be 0 or more, not {self.max_retries}")
        if self.first <= ZERO or self.cap < self.first:
            raise ValueError(f"first ({self.first}) must be above zero and at most cap ({self.cap})")
        if any(delay < ZERO for delay in self.delays):
            raise ValueError(f"delays must not be negative: {self.delays}")
        if self.delays and len(self.delays) != self.max_retries:
            raise ValueError(f"{len(self.delays)} delays for {self.max_retries} retries: say RetryPolicy.after(...)")

    @classmethod
    def after(cls, *delays: timedelta) -> RetryPolicy:
        """Wait exactly *delays*, one for each retry."""
        return cls(max_retries=len(delays), delays=delays)

    @classmethod
    def never(cls) -> RetryPolicy:
        """Don't try again."""
        return cls(max_retries=0)

    def wait(self, retries: int, *, draw: Callable[[], float] = random.random) -> timedelta | None:
        """The wait before the next attempt after *retries* retries, or None when there is none left.

        draw: a number in [0, 1).
        """
        if retries >= self.max_retries:
            return None
        if self.delays:
            return self.delays[retries]
        # 2 ** 62 s is past any cap; more would overflow a timedelta.
        ceiling = min(self.cap.total_seconds(), self.first.total_seconds() * 2.0 ** min(retries, 62))
        return timedelta(seconds=ceiling * draw())
