"""The broker is killed and comes back with what it had written."""

from __future__ import annotations

from datetime import timedelta

from project.local.waiting import wait_until
from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario

JOBS = 200
HELD_BACK = (
    "with everysec the server holds answered writes back while it syncs those before them: claims and acks go with it"
)


@scenario(
    "broker_killed",
    "three SIGKILLs of Redis during a drain, AOF everysec; it is back at once",
    allowed=("needless",),
    because=HELD_BACK,
)
def broker_killed(arena: Arena) -> None:
    """What has been written to the kernel outlives the process. The rest was answered all the same."""
    _kill_thrice(arena)


@scenario("broker_killed_always", "three SIGKILLs of Redis during a drain, AOF always; it is back at once", always=True)
def broker_killed_always(arena: Arena) -> None:
    """The same with answers that wait for the disk."""
    _kill_thrice(arena)


def _kill_thrice(arena: Arena) -> None:
    arena.start_workers("a b")
    arena.send(JOBS, seconds=0.02)
    for part in (1, 2, 3):
        wait_until(lambda p=part: len(arena.missing) < JOBS * (4 - p) // 4, within=timedelta(seconds=60))  # type: ignore[misc]
        arena.broker.kill()
        arena.faults += 1
        arena.broker.start()
    arena.settle(within=arena.lease * 12)
