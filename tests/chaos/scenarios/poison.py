"""A job that kills whoever runs it."""

from __future__ import annotations

from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario


@scenario(
    "poison_exit",
    "a job ends its pool process by os._exit, each time it runs; twenty innocent ones beside it",
    with_ledger=False,
)
def poison_exit(arena: Arena) -> None:
    """After three deaths it is put aside, whole."""
    _feed(arena, "exit")


@scenario(
    "poison_child",
    "a job kills its pool process by SIGKILL, each time it runs; twenty innocent ones beside it",
    with_ledger=False,
)
def poison_child(arena: Arena) -> None:
    """The same without a chance to say goodbye."""
    _feed(arena, "child")


@scenario(
    "poison_worker",
    "a job kills the whole worker that runs it; a supervisor starts it again; twenty innocent ones",
    with_ledger=False,
)
def poison_worker(arena: Arena) -> None:
    """Nobody is left to count but the server."""
    _feed(arena, "worker")


def _feed(arena: Arena, how: str) -> None:
    arena.start_workers("a b")
    arena.send(10, seconds=0.05)
    arena.send_poison(how)
    arena.send(10, seconds=0.05)
    arena.settle(within=arena.lease * 10)
