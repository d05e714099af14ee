"""A message that no queue would get is an error where it is published, and lies nowhere."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from kombu import Connection, Exchange, Producer, Queue
from redis import Redis

import tasks.delivery  # noqa: F401 # registers the schemes
from tasks.delivery.routing import Unroutable
from tasks.testing.waiting import eventually
from tests.integration.delivery.floor import Floor
from tests.integration.delivery.publishing import app_for

SHOP = Exchange("shop", type="direct")


@pytest.fixture
def connection(lease_url: str) -> Iterator[Connection]:
    """A connection of this test's own."""
    with Connection(lease_url) as connection:
        yield connection


@pytest.mark.parametrize("kind", ["direct", "topic"])
def test_a_misspelt_routing_key_is_an_error_that_knows_the_right_one(
    connection: Connection, client: Redis, kind: str
) -> None:
    """kombu's own transport drops it without a word."""
    exchange = Exchange("shop", type=kind)
    Queue("orders", exchange, routing_key="orders")(connection.default_channel).declare()
    before = client.keys()
    with pytest.raises(Unroutable, match="did you mean 'orders'") as refusal:
        Producer(connection, exchange).publish({}, routing_key="order", retry=True)
    assert client.keys() == before
    assert str(pickle.loads(pickle.dumps(refusal.value))) == str(refusal.value)  # noqa: S301 -- pickled here


def test_an_exchange_that_nobody_has_declared_is_an_error(connection: Connection, client: Redis) -> None:
    """Also in a task's options: `apply_async(exchange=…, routing_key=…)`."""
    with pytest.raises(Unroutable, match="declare the queue first"):
        Producer(connection).publish({}, exchange="nobodys", routing_key="orders")
    with pytest.raises(Unroutable, match="'nobodys'"):
        app_for(connection.as_uri()).send_task("jobs.note", exchange="nobodys", routing_key="orders")
    with pytest.raises(Unroutable, match="neither a queue nor an exchange"):
        Producer(connection).publish({}, routing_key="")
    assert not client.exists("orders", "")


def test_one_such_message_keeps_its_whole_batch_from_being_sent(connection: Connection, client: Redis) -> None:
    """A batch is all or none; its sender sends the others one by one."""
    producer: Any = Producer(connection)
    with pytest.raises(Unroutable), producer.batch():
        producer.publish({}, routing_key="orders")
        producer.publish({}, exchange="nobodys", routing_key="orders")
    assert client.llen("orders") == 0


def test_bindings_that_the_server_has_forgotten_are_declared_again(connection: Connection, client: Redis) -> None:
    """After a failover without AOF, say: the first publication fails loudly, the next one arrives."""
    producer = Producer(connection)
    queue = Queue("orders", SHOP, routing_key="orders")
    producer.publish({}, exchange=SHOP, routing_key="orders", declare=[queue])
    client.flushdb()
    with pytest.raises(Unroutable):
        producer.publish({}, exchange=SHOP, routing_key="orders", declare=[queue])
    producer.publish({}, exchange=SHOP, routing_key="orders", declare=[queue])
    assert client.llen("orders") == 1


def test_a_broadcast_and_an_answer_may_reach_nobody(connection: Connection) -> None:
    """Whoever asked a worker something may have gone; the worker must not fail for it."""
    Producer(connection, Exchange("news", type="fanout")).publish({}, routing_key="")
    Producer(connection).publish({}, exchange=Exchange("reply.celery.pidbox"), routing_key="gone", retry=True)


def test_a_worker_whose_asker_is_gone_goes_on(floor: Floor) -> None:
    """It answers into the void, and takes the next job."""
    worker = floor.worker()
    app_for(floor.url).control.ping(timeout=0.001)
    floor.send("jobs.note", "after")
    floor.ended("after")
    eventually(lambda: app_for(floor.url).control.ping(timeout=2, limit=1), within=timedelta(seconds=30))
    assert "Unroutable" not in worker.recent_logs()
