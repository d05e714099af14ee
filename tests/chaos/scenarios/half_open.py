"""Packets are dropped on connections that both ends believe to be open: no RST, no FIN."""

from __future__ import annotations

from datetime import timedelta

from project.local.waiting import wait_until
from tests.chaos.arena import Arena
from tests.chaos.proxy import Proxy
from tests.chaos.scenario import scenario


@scenario("half_open", "all of a worker's connections go silent while it runs a job; new connections work")
def half_open(arena: Arena) -> None:
    """The worker must notice by itself, keep what it runs, and take up what is sent afterwards."""
    with Proxy(arena.broker.port) as proxy:
        arena.start_workers("a b", port=proxy.port)
        running = arena.send(1, seconds=arena.lease.total_seconds())
        arena.started(running)
        arena.faults += proxy.go_silent()
        later = arena.send(20, seconds=0.02)
        wait_until(lambda: not arena.missing & set(later), within=timedelta(seconds=60))
        arena.settle(within=arena.lease * 12)
