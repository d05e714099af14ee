"""Fan-out, by kombu alone: what workers' remote control and events go by."""

from __future__ import annotations

import uuid
from typing import Any

from kombu import Consumer, Exchange, Producer, Queue

from tests.conformance.broker.declaring import cannot, promised
from tests.conformance.broker.hand import A_LOOK
from tests.conformance.broker.subjects import Subject


@promised("broadcast")
def test_what_is_sent_to_all_reaches_all(subject: Subject) -> None:
    """Each queue that is bound gets a copy of its own."""
    assert heard_of(subject, looks=100) == {"one": ["to all"], "two": ["to all"]}


@cannot("broadcast", "sqs")
def test_on_sqs_what_is_sent_to_all_reaches_nobody(subject: Subject) -> None:
    """Without an error. (kombu can send through SNS, which a project would have to set up and pay for.)"""
    assert heard_of(subject, looks=5) == {"one": [], "two": []}


def heard_of(subject: Subject, *, looks: int) -> dict[str, list[str]]:
    """What two queues get of one message to all, once both have something, or after so many looks."""
    exchange = Exchange(f"all-{uuid.uuid4().hex[:8]}", type="fanout", durable=False, auto_delete=True)
    heard: dict[str, list[str]] = {"one": [], "two": []}
    with subject.connect() as connection:
        for name, told in heard.items():
            queue = Queue(f"{exchange.name}-{name}", exchange, exclusive=True, durable=False)
            listen(connection, queue, told)
        look(connection)  # so that Redis has subscribed
        with subject.connect() as sender:
            Producer(sender, exchange=exchange).publish("to all")
            for _ in range(looks):
                if not all(heard.values()):
                    look(connection)
    return heard


def listen(connection: Any, queue: Any, heard: list[str]) -> None:
    """Note down what comes to *queue*."""
    consumer = Consumer(connection.channel(), [queue], on_message=lambda message: heard.append(message.payload))
    consumer.no_ack = True
    consumer.consume()


def look(connection: Any) -> None:
    """One look."""
    try:
        connection.drain_events(timeout=A_LOOK)
    except TimeoutError:
        return
