"""The broker's machine loses its power during a drain. What had not reached the disk is gone."""

from __future__ import annotations

from datetime import timedelta

from project.local.waiting import wait_until
from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario

EVERYSEC = "with everysec the disk is up to a second behind: jobs sent and acks made in it are gone with the power"


@scenario(
    "power_cut",
    "power cut, AOF everysec: the file is cut back to the last fsync",
    allowed=("lost", "needless"),
    because=EVERYSEC,
)
def power_cut(arena: Arena) -> None:
    """Jobs that were sent long before must all be done."""
    _cut(arena)


@scenario("power_cut_always", "power cut, AOF always: the write under way is torn", always=True)
def power_cut_always(arena: Arena) -> None:
    """What was answered was on the disk."""
    _cut(arena)


def _cut(arena: Arena) -> None:
    arena.start_workers("a b")
    jobs = arena.send(100, seconds=0.02)
    wait_until(lambda: len(arena.missing) < len(jobs) // 2, within=timedelta(seconds=60))
    arena.send(20, seconds=0.02)
    arena.broker.cut_power()
    arena.faults += 1
    arena.broker.start()
    arena.settle(within=arena.lease * 12)
