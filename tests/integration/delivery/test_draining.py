"""What a consumer without an event loop sees: one message a call."""

from __future__ import annotations

from typing import Any

from kombu import Connection, Consumer, Producer, Queue

import tasks.delivery  # noqa: F401 # registers the schemes


def test_a_call_of_drain_events_delivers_one_message(lease_url: str) -> None:
    """`control.ping(limit=3)` counts calls: were there two answers in one, it would wait for the third in vain."""
    seen: list[Any] = []
    with Connection(lease_url) as connection:
        producer = Producer(connection)
        for number in range(3):
            producer.publish(number, routing_key="answers")
        with Consumer(connection, Queue("answers"), callbacks=[lambda body, _: seen.append(body)], no_ack=True):
            for calls in range(1, 4):
                connection.drain_events(timeout=30)
                assert seen == list(range(calls))
