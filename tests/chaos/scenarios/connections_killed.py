"""CLIENT KILL while a step is under way: the server closes the connection, before or after it carried the step out."""

from __future__ import annotations

from tests.chaos.arena import Arena
from tests.chaos.commands import ACK, CLAIM, RENEW
from tests.chaos.proxy import KILL, Fault, Proxy
from tests.chaos.scenario import scenario


@scenario("client_kill_claim", "CLIENT KILL of a worker's connection during every fourth claim, ten times")
def client_kill_claim(arena: Arena) -> None:
    """A message must not be gone with the connection that it was to travel on."""
    _drain(arena, Fault(step=CLAIM, action=KILL, every=4, times=10))


@scenario("client_kill_ack", "CLIENT KILL of a worker's connection during every fourth ack, ten times")
def client_kill_ack(arena: Arena) -> None:
    """An ack that may not have been heard is said again, and its job not run again by a living worker."""
    _drain(arena, Fault(step=ACK, action=KILL, every=4, times=10))


@scenario("client_kill_renew", "CLIENT KILL of a worker's connection during every renewal of its lease, four times")
def client_kill_renew(arena: Arena) -> None:
    """A renewal is tried again at once, long before the lease is over."""
    _drain(arena, Fault(step=RENEW, action=KILL, every=1, times=4), seconds=3 * arena.lease.total_seconds())


def _drain(arena: Arena, fault: Fault, *, seconds: float = 0) -> None:
    with Proxy(arena.broker.port) as proxy:
        arena.start_workers("a b", port=proxy.port)
        proxy.fault = fault
        arena.send(2, seconds=seconds)
        arena.send(100, seconds=0.02)
        arena.settle(within=arena.lease * 12)
    arena.faults += fault.done
