"""Jobs that a living worker holds for longer than the lease: running, prefetched, or waiting for their time."""

from __future__ import annotations

from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario


@scenario("long_task", "a job takes three leases; two more workers are idle beside it")
def long_task(arena: Arena) -> None:
    """Slow is not dead."""
    arena.start_workers("a b c")
    arena.send(1, seconds=3 * arena.lease.total_seconds())
    arena.settle(within=arena.lease * 12)


@scenario("long_prefetch", "four prefetched jobs wait three leases behind a slow one; other workers are idle")
def long_prefetch(arena: Arena) -> None:
    """What is prefetched is held under the same lease as what runs."""
    arena.start_workers("a", prefetch=5)
    slow = arena.send(1, seconds=3 * arena.lease.total_seconds())
    arena.started(slow)
    arena.send(4, seconds=0.1)
    arena.start_workers("b c")
    arena.settle(within=arena.lease * 12)


@scenario("long_countdown", "a countdown of three leases, with three workers")
def long_countdown(arena: Arena) -> None:
    """It runs when its time has come, once."""
    arena.start_workers("a b c")
    arena.send(3, seconds=0.1, countdown=3 * arena.lease.total_seconds())
    arena.settle(within=arena.lease * 12)
