"""A worker's main process is killed while another lives."""

from __future__ import annotations

from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario


@scenario("worker_killed", "SIGKILL of a whole worker that runs a job; another worker lives")
def worker_killed(arena: Arena) -> None:
    """What the dead one held runs again on the living one."""
    (victim,) = arena.start_workers("victim")
    (first,) = arena.send(1, seconds=arena.lease.total_seconds())
    arena.started([first])
    arena.start_workers("other")
    arena.send(9, seconds=0.1)
    victim.kill_all()
    arena.settle(within=arena.lease * 8)
