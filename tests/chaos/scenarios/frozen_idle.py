"""A message is handed to a worker that is frozen and then dies."""

from __future__ import annotations

from datetime import timedelta

from project.local.waiting import wait_until
from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario

FROZEN = "a b c d e"


@scenario(
    "frozen_idle", "five idle workers are frozen (SIGSTOP), ten jobs sent, the workers killed: the gap after BRPOP"
)
def frozen_idle(arena: Arena) -> None:
    """What is popped into the socket of a frozen process must not be gone when that process dies."""
    idle = arena.start_workers(FROZEN, pool="solo")
    for worker in idle:
        worker.freeze()
    jobs = arena.send(10)
    wait_until(lambda: arena.on_broker() != set(jobs), within=timedelta(seconds=1))  # stock has popped five by then
    for worker in idle:
        worker.kill_all()
    arena.settle(within=arena.lease * 6)
