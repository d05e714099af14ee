"""How long to wait before the next attempt, and when to give up.

`RetryPolicy()` waits exponentially with full jitter: a wait drawn evenly between zero and the step's ceiling,
which spreads a crowd of failed jobs best. `RetryPolicy.after(...)` waits what it is told. Where the upstream asks for
more (`Retry-After`), no attempt is made sooner than it asks.
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
    deadline: for all attempts together, from the beginning of the first: none is made that would begin later.
    max_retry_after: the most that is heeded of what an upstream asks to wait.
    """

    max_retries: int = 5
    first: timedelta = timedelta(seconds=2)
    cap: timedelta = timedelta(minutes=10)
    delays: tuple[timedelta, ...] = ()
    deadline: timedelta | None = None
    max_retry_after: timedelta = timedelta(hours=1)

    def __post_init__(self) -> None:
        if self.max_retries < 0:
            raise ValueError(f"max_retries must be 0 or more, not {self.max_retries}")
        if self.first <= ZERO or self.cap < self.first:
            raise ValueError(f"first ({self.first}) must be above zero and at most cap ({self.cap})")
        if any(delay < ZERO for delay in self.delays):
            raise ValueError(f"delays must not be negative: {self.delays}")
        if self.delays and len(self.delays) != self.max_retries:
            raise ValueError(f"{len(self.delays)} delays for {self.max_retries} retries: say RetryPolicy.after(...)")
        if self.deadline is not None and self.deadline <= ZERO:
            raise ValueError(f"deadline must be above zero, not {self.deadline}")
        if self.max_retry_after < ZERO:
            raise ValueError(f"max_retry_after must not be negative, not {self.max_retry_after}")

    @classmethod
    def after(cls, *delays: timedelta, deadline: timedelta | None = None) -> RetryPolicy:
        """Wait exactly *delays*, one for each retry."""
        return cls(max_retries=len(delays), delays=delays, deadline=deadline)

    @classmethod
    def never(cls) -> RetryPolicy:
        """Don't try again."""
        return cls(max_retries=0)

    def wait(
        self,
        retries: int,
        *,
        asked: timedelta | None = None,
        elapsed: timedelta = ZERO,
        draw: Callable[[], float] = random.random,
    ) -> timedelta | None:
        """The wait before the next attempt after *retries* retries, or None when there is none left.

        asked: what the upstream asks to wait. A drawn wait comes on top of it, so that a crowd that was told the same
            doesn't come back together; an explicit one is lengthened to it.
        elapsed: since the first attempt began.
        draw: a number in [0, 1).
        """
        if retries >= self.max_retries:
            return None
        heeded = min(asked or ZERO, self.max_retry_after)
        if self.delays:
            wait = max(self.delays[retries], heeded)
        else:
            # 2 ** 62 s is past any cap; more would overflow a timedelta.
            ceiling = min(self.cap.total_seconds(), self.first.total_seconds() * 2.0 ** min(retries, 62))
            wait = heeded + timedelta(seconds=ceiling * draw())
        if self.deadline is not None and elapsed + wait > self.deadline:
            return None
        return wait
