"""Fan-out, by kombu alone: what workers' remote control and events go by."""

from __future__ import annotations

import uuid
from typing import Any

from kombu import Consumer, Exchange, Producer, Queue

from tasks.testing.waiting import eventually
from tests.conformance.broker.declaring import promised
from tests.conformance.broker.hand import A_LOOK
from tests.conformance.broker.subjects import Subject


@promised("broadcast")
def test_what_is_sent_to_all_reaches_all(subject: Subject) -> None:
    """Each queue that is bound gets a copy of its own."""
    exchange = Exchange(f"all-{uuid.uuid4().hex[:8]}", type="fanout", durable=False, auto_delete=True)
    heard: dict[str, list[str]] = {"one": [], "two": []}
    with subject.connect() as connection:
        for name, told in heard.items():
            queue = Queue(f"{exchange.name}-{name}", exchange, exclusive=True, durable=False)
            listen(connection, queue, told)
        drained(connection)  # so that Redis has subscribed
        with subject.connect() as sender:
            Producer(sender, exchange=exchange).publish("to all")

            def all_heard() -> bool:
                drained(connection)
                return all(heard.values())

            eventually(all_heard, because=lambda: str(heard))
    assert heard == {"one": ["to all"], "two": ["to all"]}


def listen(connection: Any, queue: Any, heard: list[str]) -> None:
    """Note down what comes to *queue*."""
    consumer = Consumer(connection.channel(), [queue], on_message=lambda message: heard.append(message.payload))
    consumer.no_ack = True
    consumer.consume()


def drained(connection: Any) -> None:
    """One look."""
    try:
        connection.drain_events(timeout=A_LOOK)
    except TimeoutError:
        return
