"""The broker stops answering for a long while, and goes on as if nothing had been."""

from __future__ import annotations

from threading import Event

from tests.chaos.arena import Arena
from tests.chaos.scenario import scenario

FROZEN_SECONDS = 20.0


@scenario("broker_frozen", "SIGSTOP of Redis for 20 s while jobs run and wait, then SIGCONT")
def broker_frozen(arena: Arena) -> None:
    """No lease can be renewed meanwhile, and that is nobody's fault: no living worker loses what it holds."""
    arena.start_workers("a b")
    running = arena.send(2, seconds=FROZEN_SECONDS + 2)
    arena.send(40, seconds=0.05)
    arena.started(running)
    arena.broker.freeze()
    arena.faults += 1
    Event().wait(FROZEN_SECONDS)
    arena.broker.thaw()
    arena.settle(within=arena.lease * 12)
