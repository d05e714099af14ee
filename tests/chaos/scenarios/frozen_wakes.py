"""A frozen worker wakes after its lease and finds that its job was given to another."""

from __future__ import annotations

from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario


@scenario("frozen_wakes", "a worker is frozen for twice the lease while it runs a job and holds others, then wakes")
def frozen_wakes(arena: Arena) -> None:
    """What it says on waking must not touch the new owner's hold, nor may it run what it held."""
    length = arena.lease.total_seconds()
    (sleeper,) = arena.start_workers("sleeper", prefetch=4)
    jobs = arena.send(4, seconds=1.5 * length)
    arena.started(jobs[:1])
    sleeper.freeze()
    arena.start_workers("b c d e")
    arena.started(jobs, within=2.5 * arena.lease)
    sleeper.thaw()
    arena.settle(within=arena.lease * 12)
