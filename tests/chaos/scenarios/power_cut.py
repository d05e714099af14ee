"""The broker's machine loses its power during a drain. What had not reached the disk is gone."""

from __future__ import annotations

from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario

EVERYSEC = (
    "with everysec the disk is up to a second behind: acks made in it are gone with the power, and so are messages"
)


@scenario(
    "power_cut",
    "power cut during a drain, AOF everysec: 300 jobs had reached the disk, 20 had just been sent",
    allowed=("needless",),
    because=EVERYSEC,
)
def power_cut(arena: Arena) -> None:
    """What had reached the disk must be done. The last second is forgotten by the broker, and not by an outbox."""
    arena.may_be_forgotten |= set(_cut(arena))


@scenario("power_cut_always", "power cut during a drain, AOF always: the write under way is torn", always=True)
def power_cut_always(arena: Arena) -> None:
    """What was answered was on the disk."""
    _cut(arena)


def _cut(arena: Arena) -> list[int]:
    """Returns the jobs that were sent last."""
    arena.start_workers("a b")
    arena.started(arena.send(300, seconds=0.02)[:10])
    assert arena.broker.everything_on_disk()
    last = arena.send(20, seconds=0.02)
    arena.broker.cut_power()
    arena.faults += 1
    arena.broker.start()
    arena.settle(within=arena.lease * 12)
    return last
