"""Workers whose wall clocks are wrong by more than any lease."""

from __future__ import annotations

from datetime import timedelta

from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario

HOUR = timedelta(hours=1)


@scenario("clock_skew", "one worker's clock is an hour ahead, one's an hour behind; each is killed while it runs a job")
def clock_skew(arena: Arena) -> None:
    """Leases go by the server's clock alone."""
    fast = arena.start_workers("fast", skew=HOUR)
    slow = arena.start_workers("slow", skew=-HOUR)
    arena.started(arena.send(2, seconds=2 * arena.lease.total_seconds()))
    for worker in fast + slow:
        worker.kill_all()
    arena.send(10, seconds=0.1)
    arena.settle(within=arena.lease * 10)
