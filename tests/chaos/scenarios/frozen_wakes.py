"""A frozen worker wakes after its lease and finds that its job was given to another."""

from __future__ import annotations

from project.local.waiting import wait_until
from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario


@scenario("frozen_wakes", "a worker that runs a job and holds three more is frozen until it runs elsewhere, then wakes")
def frozen_wakes(arena: Arena) -> None:
    """What it says on waking must not touch the new owner's hold, nor may it run what it held."""
    (sleeper,) = arena.start_workers("sleeper", prefetch=4)
    jobs = arena.send(4, seconds=2 * arena.lease.total_seconds())
    arena.started(jobs[:1])
    arena.start_workers("b c d e")
    sleeper.freeze()
    wait_until(lambda: arena.runs_of(jobs[0]) > 1, within=2.5 * arena.lease)
    sleeper.thaw()
    arena.settle(within=arena.lease * 12)
