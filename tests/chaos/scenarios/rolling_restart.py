"""A deploy whose grace is shorter than the jobs."""

from __future__ import annotations

from datetime import timedelta

from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario

GRACE = timedelta(seconds=0.3)


@scenario(
    "rolling_restart",
    "three workers restarted one after another, twice: SIGTERM, and SIGKILL after 0.3 s; jobs take 1 s",
    allowed=("recovery_seconds",),
    because="a job that was cut waits behind those that other workers run and are restarted with",
)
def rolling_restart(arena: Arena) -> None:
    """What was being run runs again; what only waited in the worker was given back, and counts as no death."""
    workers = arena.start_workers("a b c", prefetch=4)
    jobs = arena.send(24, seconds=1)
    arena.started(jobs[:3])
    for _ in range(2):
        for worker in workers:
            worker.stop(grace=GRACE)
            worker.start()
            arena.wait_ready([worker])
    arena.settle(within=arena.lease * 12)
