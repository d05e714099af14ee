"""The pool process that runs a job is killed; its parent lives and sees it."""

from __future__ import annotations

from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario


@scenario("child_killed", "SIGKILL of the pool process that runs a job, as the out-of-memory killer does")
def child_killed(arena: Arena) -> None:
    """One of ten jobs is cut; the parent gives it back at once."""
    (worker,) = arena.start_workers("a")
    (first,) = arena.send(1, seconds=1)
    arena.send(9, seconds=0.1)
    arena.started([first])
    worker.kill_child()
    arena.settle(within=arena.lease * 6)
