"""Publishing to RabbitMQ: sure, in bounded time, and with the urgency the right way round."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import amqp
import pytest
from celery import Celery
from kombu import Connection, Exchange, Producer, Queue
from kombu.exceptions import BatchPublishError, OperationalError  # type: ignore[attr-defined]

from config import limits
from config.queues import BULK, DEFAULT, QUEUES, URGENT
from project.local.ports import HOST
from tasks import status, task
from tasks.delivery import rabbitmq
from tasks.delivery.routing import Unroutable
from tasks.enqueue.bounded import BoundedCelery
from tasks.enqueue.bulk import enqueue_many
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.relay import BrokerAway, Relay
from tasks.operation.health import queue_depths
from tests.conformance.broker.subjects import Subject
from tests.servers.brokers import BrokerServers
from tests.servers.rabbitmq import RabbitMQ

A_SECOND = timedelta(seconds=1)


@task("rabbitmq_test.take_note", time_limit=10 * A_SECOND)
def take_note(number: int) -> None:
    """Does nothing: no worker runs here."""


@pytest.fixture
def node(broker_servers: BrokerServers) -> RabbitMQ:
    """A running node."""
    node = broker_servers.get("rabbitmq")
    assert isinstance(node, RabbitMQ)
    return node


@pytest.fixture
def app(node: RabbitMQ) -> Iterator[Celery]:
    """The project's app on RabbitMQ, with its queues, which are empty."""
    subject = Subject(name="rabbitmq", url=node.url, delivery_limit=limits.DELIVERY_LIMIT)
    app = BoundedCelery("rabbitmq-test", set_as_current=False)
    app.config_from_object("project.settings.test", namespace="CELERY")
    app.conf.update(
        broker_url=node.url,
        broker_transport_options=subject.transport_options(),
        task_queues=[subject.queue(name) for name in QUEUES],
    )
    with subject.connect() as connection:
        for queue in app.amqp.queues.values():
            queue(connection.default_channel).declare()
            queue(connection.default_channel).purge()
    yield app
    app.close()


@pytest.fixture
def connection(app: Celery) -> Iterator[Any]:
    """A connection for publishing."""
    with app.connection_for_write() as connection:
        yield connection


def test_the_urgency_is_turned_round_on_the_wire(app: Celery, connection: Connection, node: RabbitMQ) -> None:
    """Somebody else's consumer reads RabbitMQ's number, ours reads its own."""
    for urgency in (URGENT, BULK):
        send(connection, urgency, priority=urgency)

    with amqp.Connection(f"{HOST}:{node.port}", "guest", "guest") as stranger:
        channel: Any = stranger.channel()
        read = [channel.basic_get(DEFAULT, no_ack=True).properties["priority"] for _ in range(2)]
    assert read == [9, 0]


def test_a_batch_is_there_when_it_has_been_confirmed(app: Celery, connection: Connection) -> None:
    """All of it, and more than are on their way at once."""
    producer: Any = Producer(connection, auto_declare=False)
    with producer.batch(max_size=64):
        for number in range(500):
            publish(producer, number)

    assert queue_depths(app, [DEFAULT]) == {DEFAULT: 500}


def test_a_batch_that_is_not_confirmed_fails_in_bounded_time(
    connection: Connection, node: RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows what of it arrived, so nobody may believe that it was sent."""
    monkeypatch.setattr(rabbitmq, "ANSWER_WITHIN", A_SECOND)
    producer: Any = Producer(connection.default_channel, auto_declare=False)
    began = time.monotonic()
    with (
        pytest.raises(BatchPublishError, match=r"did not confirm [23] of 3"),
        frozen_after(node) as freeze,
        producer.batch(),
    ):
        publish(producer, 1)
        freeze()
        publish(producer, 2)
        publish(producer, 3)

    assert time.monotonic() - began < 20


def test_publishing_to_a_broker_that_hangs_fails_in_bounded_time(
    app: Celery, node: RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`.delay()` in a request: with a connection from before, and through all of Celery's tries."""
    app.send_task("rabbitmq_test.take_note", [0])
    began = time.monotonic()
    with monkeypatch.context() as patch, pytest.raises(OperationalError), frozen_after(node) as freeze:
        patch.setattr(rabbitmq, "ANSWER_WITHIN", A_SECOND)
        freeze()
        app.send_task("rabbitmq_test.take_note", [1])

    assert time.monotonic() - began < 40
    app.send_task("rabbitmq_test.take_note", [2])


@pytest.mark.django_db(transaction=True)
def test_the_relay_marks_sent_what_is_confirmed_and_nothing_else(
    app: Celery, node: RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While RabbitMQ hangs the rows stay; when it goes on they are sent."""
    with Relay(app) as relay:
        take_note.enqueue(0)
        assert relay.send_batch().sent == 1  # it has a connection
        enqueue_many("rabbitmq_test.take_note", ({"number": number} for number in range(50)))
        with monkeypatch.context() as patch, frozen_after(node) as freeze:
            patch.setattr(rabbitmq, "ANSWER_WITHIN", A_SECOND)
            freeze()
            with pytest.raises(BrokerAway):
                relay.send_batch()
        assert OutboxMessage.objects.filter(state="queued").count() == 50

        assert relay.send_batch().sent == 50
    assert sum(queue_depths(app, QUEUES).values()) == 51


@pytest.mark.django_db(transaction=True)
def test_a_message_for_a_queue_that_nobody_declared_is_set_aside_and_the_others_go(app: Celery) -> None:
    """RabbitMQ closes the channel at it."""
    take_note.enqueue(1)
    lost = take_note.enqueue(2)
    take_note.enqueue(3)
    OutboxMessage.objects.filter(task_id=lost).update(exchange="nowhere", routing_key="nowhere")

    with Relay(app) as relay:
        done = relay.send_batch()

    assert (done.sent, [task_id for _, task_id, _ in done.refused]) == (2, [lost])
    assert status(lost).name == "DEAD"


def test_a_job_that_no_queue_would_get_is_an_error_and_the_next_one_is_confirmed_for_itself(app: Celery) -> None:
    """RabbitMQ gives it back and then confirms it all the same: that word must not be taken for the next job's."""
    for _ in range(2):
        with pytest.raises(Unroutable, match=r"the exchange 'default' with the routing key 'nobodys'; declare"):
            app.send_task("rabbitmq_test.take_note", [0], exchange=DEFAULT, routing_key="nobodys")
        app.send_task("rabbitmq_test.take_note", [1])
    assert queue_depths(app, [DEFAULT]) == {DEFAULT: 2}


@pytest.mark.django_db(transaction=True)
def test_of_a_batch_only_what_no_queue_would_get_is_set_aside_and_the_others_are_sent_once(app: Celery) -> None:
    """RabbitMQ has taken them, and says which ones it has not."""
    take_note.enqueue(1)
    lost = take_note.enqueue(2)
    take_note.enqueue(3)
    OutboxMessage.objects.filter(task_id=lost).update(routing_key="nobodys")
    with Relay(app) as relay:
        done = relay.send_batch()
        assert relay.send_batch().sent == 0
    assert (done.sent, [task_id for _, task_id, _ in done.refused]) == (2, [lost])
    assert queue_depths(app, [DEFAULT]) == {DEFAULT: 2}
    assert "there is no queue 'nobodys'" in OutboxMessage.objects.get(task_id=lost).problem


@pytest.mark.django_db(transaction=True)
def test_queues_that_were_declared_otherwise_cost_no_job(app: Celery, node: RabbitMQ) -> None:
    """The delivery limit was changed and deployed: the relay can't declare its queues, and no message is to blame."""
    other = Subject(name="rabbitmq", url=node.url, delivery_limit=limits.DELIVERY_LIMIT + 1)
    for number in range(3):
        take_note.enqueue(number)
    with app.connection_for_write() as connection:
        app.amqp.queues[DEFAULT](connection.default_channel).delete()
        other.queue(DEFAULT)(connection.default_channel).declare()
    try:
        with Relay(app) as relay, pytest.raises(BrokerAway, match="inequivalent arg 'x-delivery-limit'"):
            relay.send_batch()
    finally:
        with app.connection_for_write() as connection:
            app.amqp.queues[DEFAULT](connection.default_channel).delete()
    assert OutboxMessage.objects.filter(state="queued").count() == 3

    with Relay(app) as relay:
        assert relay.send_batch().sent == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("with_exchange", [True, False])
def test_a_queue_that_was_deleted_while_the_relay_is_connected_is_declared_again(
    app: Celery, with_exchange: bool
) -> None:
    """By somebody who tidied up, or a policy that lets unused queues expire."""
    with Relay(app) as relay:
        take_note.enqueue(0)
        assert relay.send_batch().sent == 1
        with app.connection_for_write() as connection:
            queue = app.amqp.queues[DEFAULT](connection.default_channel)
            queue.delete()
            if with_exchange:
                queue.exchange.delete()
        take_note.enqueue(1)
        done = relay.send_batch()
    assert (done.sent, done.refused) == (1, [])
    assert queue_depths(app, [DEFAULT]) == {DEFAULT: 1}


@pytest.mark.django_db(transaction=True)
def test_a_queue_that_is_full_holds_no_other_back(app: Celery, node: RabbitMQ) -> None:
    """Its own messages stay in the outbox; the others are sent once."""
    with app.connection_for_write() as connection:
        arguments = {"x-max-length": 0, "x-overflow": "reject-publish"}
        full = Queue("full", Exchange("full"), routing_key="full", queue_arguments=arguments, auto_delete=True)
        full(connection.default_channel).declare()
        refused = [take_note.enqueue(number) for number in range(5)]
        OutboxMessage.objects.update(exchange="full", routing_key="full")
        take_note.enqueue(9)
        with Relay(app) as relay:
            done = relay.send_batch()
            assert (done.sent, done.refused) == (1, [])
            assert relay.send_batch().sent == 0
        full(connection.default_channel).delete()
    assert OutboxMessage.objects.filter(state="queued").count() == len(refused)
    assert queue_depths(app, [DEFAULT]) == {DEFAULT: 1}


@contextmanager
def frozen_after(node: RabbitMQ) -> Iterator[Any]:
    """A function that freezes the node; it goes on at the end."""
    try:
        yield lambda: os.killpg(node.child.pid, signal.SIGSTOP)
    finally:
        os.killpg(node.child.pid, signal.SIGCONT)


def send(connection: Connection, body: object, **options: Any) -> None:
    """Publish one message."""
    publish(Producer(connection, auto_declare=False), body, **options)


def publish(producer: Any, body: object, **options: Any) -> None:
    """Publish one message with *producer*."""
    producer.publish(body, exchange=DEFAULT, routing_key=DEFAULT, serializer="json", **options)
