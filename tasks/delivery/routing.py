"""A publication that no queue would get is an error of whoever publishes.

kombu's exchanges on Redis and SQS are sets of bindings. Where none of them matches, its channel puts the message
nowhere, and says nothing. RabbitMQ confirms that it has dropped it, unless it is asked to give it back (`rabbitmq.py`).
Nothing is lost by that but the job.

Two kinds of publication may reach nobody: what goes to whoever listens (fan-out), and the answer to a remote control
command whose asker has left.
"""

from __future__ import annotations

import difflib
from typing import Any, Final

from kombu.exceptions import KombuError

SHOWN: Final = 10
"""How many routing keys an error names."""


class Unroutable(KombuError):
    """No queue is bound to this exchange with this routing key; nothing was sent.

    bound: the routing keys with which queues are bound to the exchange; None if the broker doesn't tell.
    """

    def __init__(self, exchange: str, routing_key: str, bound: tuple[str, ...] | None = ()) -> None:
        self.exchange, self.routing_key, self.bound = exchange, routing_key, bound
        super().__init__(exchange, routing_key, self.bound)

    def __str__(self) -> str:
        if not self.exchange and self.routing_key:
            return f"the message was not sent: there is no queue {self.routing_key!r}; its worker declares it first"
        if not self.exchange:
            return "the message was not sent: it names neither a queue nor an exchange; give it a routing key"
        key = f"the routing key {self.routing_key!r}"
        what = f"the message was not sent: no queue is bound to the exchange {self.exchange!r} with {key}"
        if not self.bound:
            nor = "" if self.bound is None else ", nor with any other"
            return f"{what}{nor}; declare the queue first, as its worker does"
        near = difflib.get_close_matches(self.routing_key, self.bound, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(map(repr, self.bound[:SHOWN]))}"
        return f"{what}; {hint}"


class PartlyUnroutable(KombuError):
    """Some messages of a batch were given back by the broker; the others were sent. why: by task id, a sentence."""

    def __init__(self, why: dict[str, str]) -> None:
        self.why = why
        super().__init__(why)

    def __str__(self) -> str:
        return f"{len(self.why)} of a batch were not sent, but all the others; {next(iter(self.why.values()), '')}"


def may_reach_nobody(exchange: str) -> bool:
    """Whether *exchange* is that of the answers to remote control (see `kombu.pidbox.Mailbox`)."""
    return exchange.startswith("reply.") and exchange.endswith(".pidbox")


def unroutable(channel: Any, exchange: str, routing_key: str) -> Unroutable:
    """The error for a publication by *channel* that reaches no queue.

    If the server has forgotten bindings that this process once made, as after a failover, this process forgets them
    too: kombu makes none that it believes to be there, and now the next attempt of whoever declares makes them again.
    """
    bound = {(key, queue) for key, _, queue in channel.get_table(exchange)}
    state, connection = channel.state, channel.connection.client
    for one in tuple(state.bindings):
        if one.exchange == exchange and (one.routing_key or "", one.queue) not in bound:
            state.binding_delete(one.queue, one.exchange, one.routing_key)
            connection.declared_entities.clear()
    return Unroutable(exchange, routing_key, tuple(sorted({key for key, _ in bound})))
