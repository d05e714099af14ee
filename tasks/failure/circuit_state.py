"""The circuit of a task as a state machine: what a report or a question makes of it. Pure; `circuit.py` keeps it.

                       share of failures too high
        ┌────────┐  ───────────────────────────────▶  ┌──────┐ ◀───────────────┐
        │ closed │                                    │ open │                 │ a probe failed: a longer pause
        └────────┘  ◀──┐                              └──────┘                 │
             ▲         │ as many probes succeeded        │ the pause is over:  │
             │         │ as the budget says              ▼ who asks is a probe │
             │         └────────────────────────── ┌───────────┐ ──────────────┘
             └── a person closes it                │ half-open │ ◀─┐ another pause is over, and too few
                                                   └───────────┘ ──┘ probes have ended: more are let through

Who moves it: any worker, under the row's lock. What a crash leaves: a worker that dies with a report unsaid makes the
share less exact; one that dies with a probe in hand leaves the others their places, and after the next pause there are
new ones. So no crash keeps a circuit open.

`round` tells the probes of one try from those of an earlier one: it changes when the circuit opens, when a probe fails
and when it closes, and an outcome from another round is not heeded.

Time is the database's. If that clock jumps ahead, probes come early and the window is forgotten; if it jumps back, the
pause begins anew at most, and the window is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from .budget import RetryBudget

# Every process looks at a circuit at most so often, and tells then what it counted.
LOOK_EVERY: Final = timedelta(seconds=1)
# A circuit opens so long after the first failure at the soonest: all have told of their successes then.
HEARD: Final = 2 * LOOK_EVERY


class State(StrEnum):
    """Where a circuit is."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One task's circuit at one moment.

    succeeded, failed: attempts in the window's half that began at `half_began_at`; earlier_*: in the one before.
    watched_since_at: the first failure after which there has always been one in the window; None without any.
    until_at: nothing is tried before it. pauses: how many there were since it opened. permits: probes still to go.
    good: probes of this round that succeeded.
    """

    state: State = State.CLOSED
    round: int = 0
    half_began_at: datetime
    succeeded: int = 0
    failed: int = 0
    earlier_succeeded: int = 0
    earlier_failed: int = 0
    watched_since_at: datetime | None = None
    opened_at: datetime | None = None
    until_at: datetime | None = None
    pauses: int = 0
    permits: int = 0
    good: int = 0

    @property
    def attempts(self) -> int:
        """All that were told of, in the window."""
        return self.succeeded + self.failed + self.earlier_succeeded + self.earlier_failed

    @property
    def failures(self) -> int:
        """Those of them that failed."""
        return self.failed + self.earlier_failed

    @property
    def is_watched(self) -> bool:
        """Whether successes need to be told of: something failed lately, or all is held."""
        return self.state is not State.CLOSED or self.watched_since_at is not None


def told(standing: Standing, budget: RetryBudget, *, succeeded: int, failed: int, now: datetime) -> Standing:
    """What so many attempts, not probes, make of it. Of those that began before it opened nothing more is learnt."""
    if standing.state is not State.CLOSED:
        return standing
    rolled = _rolled(standing, budget, now)
    found = replace(rolled, succeeded=rolled.succeeded + succeeded, failed=rolled.failed + failed)
    if not found.failures:
        return replace(found, watched_since_at=None)
    since = rolled.watched_since_at or now
    found = replace(found, watched_since_at=min(since, now))
    is_bad = found.attempts >= budget.least and found.failures >= budget.share * found.attempts
    return _paused(replace(found, opened_at=now), budget, now) if is_bad and now - since >= HEARD else found


def asked(standing: Standing, budget: RetryBudget, *, now: datetime) -> tuple[Standing, bool]:
    """Whether a job may be run now; when not closed, it is a probe then and takes a place."""
    if standing.state is State.CLOSED:
        return standing, True
    pause = pause_of(standing, budget)
    until = standing.until_at or now
    if until - now > pause:  # longer than any that was given: the clock went back
        return replace(standing, state=State.OPEN, until_at=now + pause, permits=0), False
    if until <= now:
        standing = replace(standing, state=State.HALF_OPEN, until_at=now + pause, permits=budget.probes)
    if standing.permits < 1:
        return standing, False
    return replace(standing, permits=standing.permits - 1), True


def probed(standing: Standing, budget: RetryBudget, *, round: int, succeeded: bool, now: datetime) -> Standing:  # noqa: A002
    """What the end of a probe of *round* makes of it."""
    if standing.state is State.CLOSED or standing.round != round:
        return standing
    if not succeeded:
        return _paused(replace(standing, pauses=standing.pauses + 1), budget, now)
    found = replace(standing, good=standing.good + 1)
    return closed(found, now=now) if found.good >= budget.probes else found


def closed(standing: Standing, *, now: datetime) -> Standing:
    """It lets everything through again, and remembers nothing of before."""
    return Standing(round=standing.round + 1, half_began_at=now)


def _paused(standing: Standing, budget: RetryBudget, now: datetime) -> Standing:
    """Nothing is tried for a while; what a probe of before comes to is not heeded."""
    until = now + pause_of(standing, budget)
    return replace(standing, state=State.OPEN, round=standing.round + 1, until_at=until, permits=0, good=0)


def pause_of(standing: Standing, budget: RetryBudget) -> timedelta:
    """How long nothing is tried this time."""
    # 2 ** 62 is past any pause; more would overflow a timedelta.
    seconds = budget.pause.total_seconds() * 2.0 ** min(standing.pauses, 62)
    return timedelta(seconds=min(budget.longest.total_seconds(), seconds))


def _rolled(standing: Standing, budget: RetryBudget, now: datetime) -> Standing:
    """The counts as of *now*: the window is two halves, of which the older is dropped as a whole."""
    age = now - standing.half_began_at
    half = budget.window / 2
    if timedelta(0) <= age < half:
        return standing
    if half <= age < 2 * half:
        rolled = replace(
            standing,
            half_began_at=standing.half_began_at + half,
            earlier_succeeded=standing.succeeded,
            earlier_failed=standing.failed,
            succeeded=0,
            failed=0,
        )
    else:
        rolled = replace(standing, half_began_at=now, earlier_succeeded=0, earlier_failed=0, succeeded=0, failed=0)
    return rolled if rolled.failures else replace(rolled, watched_since_at=None)
