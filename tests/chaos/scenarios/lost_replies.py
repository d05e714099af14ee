"""The server does what it was asked, and its answer never arrives."""

from __future__ import annotations

from tests.chaos.arena import Arena
from tests.chaos.commands import ACK, CLAIM, PUBLISH
from tests.chaos.proxy import SWALLOW, Fault, Proxy
from tests.chaos.scenario import scenario


@scenario("lost_reply_claim", "every fourth answer that carries a message is lost and its connection cut, ten times")
def lost_reply_claim(arena: Arena) -> None:
    """The worker lives, so that nothing but the transport can bring these messages back."""
    _drain(arena, Fault(step=CLAIM, action=SWALLOW, every=4, times=10))


@scenario("lost_reply_ack", "every fourth answer to an ack is lost and its connection cut, ten times")
def lost_reply_ack(arena: Arena) -> None:
    """The ack was carried out. Saying it again must do no harm, and the job must not run again."""
    _drain(arena, Fault(step=ACK, action=SWALLOW, every=4, times=10))


@scenario("lost_reply_publish", "every fourth answer to a publish is lost; Celery publishes again, ten times")
def lost_reply_publish(arena: Arena) -> None:
    """The message is on its queue already."""
    arena.start_workers("a b")
    with Proxy(arena.broker.port) as proxy:
        publisher = arena.publisher_through(proxy.port)
        fault = proxy.fault = Fault(step=PUBLISH, action=SWALLOW, every=4, times=10)
        arena.send(50, seconds=0.02, through=publisher)
        publisher.close()
    arena.faults += fault.done
    arena.settle(within=arena.lease * 6)


def _drain(arena: Arena, fault: Fault) -> None:
    with Proxy(arena.broker.port) as proxy:
        arena.start_workers("a b", port=proxy.port)
        proxy.fault = fault
        arena.send(100, seconds=0.02)
        arena.settle(within=arena.lease * 12)
    arena.faults += fault.done
