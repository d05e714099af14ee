"""A producer and a consumer by hand: no worker, only kombu."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, Self

from kombu import Consumer, Producer
from kombu.exceptions import ChannelError

from config.queues import NORMAL
from tasks.testing.waiting import eventually
from tests.conformance.broker.subjects import Subject

A_LOOK = 0.2  # seconds; one call that finds nothing
WITHIN = timedelta(seconds=30)


class Hand:
    """Takes messages off *queue* and holds them until told otherwise."""

    def __init__(self, subject: Subject, queue: Any, *, prefetch: int = 0) -> None:
        self.queue = queue
        self.connection = subject.connect()
        self.channel = self.connection.channel()
        if prefetch:
            self.channel.basic_qos(0, prefetch, False)
        self.taken: list[Any] = []
        self._consumer = Consumer(self.channel, [queue], on_message=self.taken.append, accept=["json"])
        self._consumer.consume()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.release()

    def look(self) -> None:
        """Let the broker bring what it has."""
        with suppress(TimeoutError):
            self.connection.drain_events(timeout=A_LOOK)

    def take(self, count: int = 1, *, within: timedelta = WITHIN) -> list[Any]:
        """Wait for *count* messages; they are no longer in `taken`. Raises AssertionError when they don't come."""

        def come() -> bool:
            if len(self.taken) < count:
                self.look()
            return len(self.taken) >= count

        eventually(come, within=within, because=lambda: f"{len(self.taken)} of {count} messages came")
        messages = self.taken[:count]
        del self.taken[:count]
        return messages

    def nothing_comes(self) -> bool:
        """Whether the broker brings no more for several looks."""
        for _ in range(4):
            self.look()
        return not self.taken


@contextmanager
def producing(subject: Subject, queue: Any) -> Iterator[Any]:
    """A function that sends a body to *queue*, with an urgency where one is given."""
    with subject.connect() as connection:
        producer = Producer(connection, auto_declare=False)
        queue(connection.default_channel).declare()

        def send(body: Any, *, priority: int = NORMAL, **options: Any) -> None:
            producer.publish(
                body,
                exchange=queue.exchange,
                routing_key=queue.routing_key,
                priority=priority,
                serializer=options.pop("serializer", "json"),
                delivery_mode=2,
                **options,
            )

        yield send


def depth(subject: Subject, queue: Any) -> int:
    """How many messages wait in *queue*."""
    with subject.connect() as connection:
        try:
            return int(queue(connection.default_channel).queue_declare(passive=True).message_count)
        except ChannelError:  # Redis keeps no empty list: an empty queue is one that isn't there
            return 0
