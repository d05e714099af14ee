"""A job that no queue would get."""

from __future__ import annotations

from typing import Any

import pytest
from kombu import Producer

from tasks.delivery.routing import Unroutable
from tests.conformance.broker.declaring import cannot, promised
from tests.conformance.broker.hand import depth
from tests.conformance.broker.subjects import Subject


@promised("nowhere")
def test_a_job_that_no_queue_would_get_is_an_error_of_whoever_publishes_it(subject: Subject) -> None:
    """The next one is sent as if nothing had been."""
    queue = subject.queue()
    with subject.connect() as connection:
        send = sender(connection, queue)
        with pytest.raises(Unroutable, match=f"the exchange '{queue.exchange.name}' with the routing key 'nobodys'"):
            send("nobodys")
        send(queue.routing_key)
    assert depth(subject, queue) == 1


@cannot("nowhere", "redis")
def test_redis_drops_it_without_a_word(subject: Subject) -> None:
    """kombu looks up the bindings of the exchange, and finds none."""
    queue = subject.queue()
    with subject.connect() as connection:
        sender(connection, queue)("nobodys")
        assert not connection.default_channel.client.exists("nobodys")
    assert depth(subject, queue) == 0


def sender(connection: Any, queue: Any) -> Any:
    """Publishes to the exchange of *queue*, as the project's app publishes a job."""
    queue(connection.default_channel).declare()
    producer = Producer(connection, auto_declare=False)

    def send(routing_key: str) -> None:
        producer.publish("it", exchange=queue.exchange, routing_key=routing_key, mandatory=True)

    return send
