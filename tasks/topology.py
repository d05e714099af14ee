"""One topology on every broker: what a class of service is as a queue of Redis, of RabbitMQ and of SQS.

A project names its queues and how urgent a message is inside its queue, 0 to 9, where 0 is taken first: that is the
number in routes, in the outbox and in what a task sees, whatever the broker. What differs by broker is said here, in
words and values alone; `BROKER_URL` chooses.

- **Redis, Valkey**: a list a step of urgency; the number is the step.
- **RabbitMQ**: a quorum queue, which survives the loss of a node. There 9 is taken first, so the number is turned
  round on its way to the wire and back (`delivery.rabbitmq`). The exchange is of the type topic, for Celery's delayed
  delivery can't bind to a direct one. A message that was delivered too often, was rejected or has expired goes to the
  dead-letter exchange, and from there to one queue for all.
- **SQS**: a standard queue, which knows no urgency at all. What it gives up goes to one queue for all as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final

LEAST_URGENT: Final = 9

# Where RabbitMQ and SQS put what they give up.
DEAD_LETTER_EXCHANGE: Final = "tasks.dead_letters"
DEAD_LETTER_QUEUE: Final = "tasks.dead_letters"


class Broker(StrEnum):
    """The kinds of broker that a URL can name."""

    REDIS = "redis"
    RABBITMQ = "rabbitmq"
    SQS = "sqs"


_SCHEMES: Final = {
    "redis": Broker.REDIS,
    "rediss": Broker.REDIS,
    "sentinel": Broker.REDIS,
    "amqp": Broker.RABBITMQ,
    "amqps": Broker.RABBITMQ,
    "sqs": Broker.SQS,
}


class UnknownBroker(ValueError):
    """A broker's URL begins with a scheme that none of ours has. The URL isn't told: it may hold a password."""

    def __init__(self, scheme: str) -> None:
        super().__init__(scheme)
        self.scheme = scheme

    def __str__(self) -> str:
        close = get_close_matches(self.scheme, _SCHEMES, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(_SCHEMES)}"
        return f"the broker's URL has the scheme {self.scheme!r}: {hint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueShape:
    """A queue and the exchange before it, which has its name and passes on what is sent under its name."""

    name: str
    exchange_type: str
    arguments: dict[str, Any] = field(default_factory=dict)


def broker_of(url: str) -> Broker:
    """The kind of broker that *url* names; of several, divided by semicolons, the first. Raises UnknownBroker."""
    scheme = url.partition("://")[0]
    kind = _SCHEMES.get(scheme.partition("+")[0])  # "redis+lease" is Redis
    if kind is None:
        raise UnknownBroker(scheme)
    return kind


def queue_shape(broker: Broker, name: str, *, delivery_limit: int) -> QueueShape:
    """The queue *name* on *broker*.

    delivery_limit: so often RabbitMQ delivers a message again before it gives it up. RabbitMQ counts what a stopping
    worker gives back as well, so the figure is the last resort, well above a policy's.
    """
    if broker is not Broker.RABBITMQ:
        return QueueShape(name=name, exchange_type="direct")
    arguments = {
        "x-queue-type": "quorum",
        "x-delivery-limit": delivery_limit,
        "x-dead-letter-exchange": DEAD_LETTER_EXCHANGE,
        # A dead letter leaves its queue when the other has it, not before; RabbitMQ asks for the second with the first.
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    return QueueShape(name=name, exchange_type="topic", arguments=arguments)


def connection_options(
    broker: Broker, *, steps: Sequence[int], visibility_timeout: timedelta, delivery_limit: int, queue_prefix: str = ""
) -> dict[str, Any]:
    """Celery's `broker_transport_options`: bounded in time everywhere.

    steps: the urgencies that Redis keeps apart. visibility_timeout: after it, stock Redis and SQS hand out again what
    was not acknowledged. delivery_limit: SQS's, as `queue_shape` has RabbitMQ's. queue_prefix: what queues begin with
    on SQS, where they belong to an account.
    """
    seconds = visibility_timeout.total_seconds()
    if broker is Broker.RABBITMQ:
        return {"confirm_publish": True}  # sent is what a majority of the nodes has on the disk
    if broker is Broker.SQS:
        return {
            "queue_name_prefix": queue_prefix,
            "visibility_timeout": max(1, int(seconds)),
            "delivery_limit": delivery_limit,
            "wait_time_seconds": 10,  # one question waits so long at SQS, which costs a tenth of asking every second
            "polling_interval": 0,
            # boto3's own are a minute a try.
            "client-config": {"connect_timeout": 4, "read_timeout": 20, "retries": {"total_max_attempts": 3}},
        }
    return {
        "priority_steps": list(steps),
        "sep": ":",
        "queue_order_strategy": "priority",
        "visibility_timeout": seconds,
        # Expired messages are looked for often; kombu's default is every 100 s, under a lock of five minutes.
        "unacked_restore_interval": max(1.0, min(10.0, seconds / 4)),
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 30,
        "socket_connect_timeout": 2.0,
        "socket_timeout": 10.0,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "retry_on_timeout": True,
    }


def dead_letter_shape(broker: Broker) -> QueueShape:
    """The queue of what *broker* gave up, RabbitMQ or SQS. It takes every routing key, and gives up nothing itself."""
    if broker is not Broker.RABBITMQ:
        return QueueShape(name=DEAD_LETTER_QUEUE, exchange_type="direct")
    return QueueShape(name=DEAD_LETTER_QUEUE, exchange_type="fanout", arguments={"x-queue-type": "quorum"})


def turned_round(priority: int) -> int:
    """An urgency as RabbitMQ's priority, or the other way: 0 ↔ 9. What is out of range counts as the nearest."""
    return LEAST_URGENT - min(max(priority, 0), LEAST_URGENT)
