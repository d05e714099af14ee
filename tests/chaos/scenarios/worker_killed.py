"""A worker is killed while another lives."""

from __future__ import annotations

from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario


@scenario("worker_killed", "SIGKILL of a whole worker that runs a job; another worker lives")
def worker_killed(arena: Arena) -> None:
    """What the dead one held runs again on the living one."""
    arena.start_workers("a b")
    (first,) = arena.send(1, seconds=arena.lease.total_seconds())
    arena.started([first])
    victim = arena.runner_of(first)
    victim.kill_all()
    arena.send(9, seconds=0.1)
    arena.settle(within=arena.lease * 8)
