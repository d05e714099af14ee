"""A publication that is repeated, on whatever level, arrives once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from kombu import Connection, Exchange, Producer, Queue
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

import tasks.delivery  # noqa: F401 # registers the schemes
from tasks.delivery.channel import LeaseChannel
from tasks.delivery.names import SEEN
from tasks.delivery.publishing import CALLS_A_NAME, WINDOW_MS, Publisher


@pytest.fixture
def connection(lease_url: str) -> Iterator[Connection]:
    """A connection of this test's own."""
    with Connection(lease_url) as connection:
        yield connection


def test_an_answer_that_is_lost_makes_kombu_publish_again_and_the_server_take_it_once(
    connection: Connection, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kombu repeats on a new channel: what is the same is the properties, and in them the number of the call."""
    put_all = LeaseChannel.put_all
    lost: list[Any] = []

    def lose_the_answer(self: Any, *args: Any, **kwargs: Any) -> None:
        put_all(self, *args, **kwargs)
        if len(lost) < 2:
            lost.append(args)
            raise RedisConnectionError("the answer was lost")

    monkeypatch.setattr(LeaseChannel, "put_all", lose_the_answer)
    producer = Producer(connection)
    for number in range(2):
        producer.publish(
            {"n": number}, routing_key="jobs", retry=True, retry_policy={"interval_start": 0, "max_retries": 3}
        )
    assert len(lost) == 2
    assert client.llen("jobs") == 2


def test_a_message_for_two_queues_reaches_both(connection: Connection, client: Redis) -> None:
    """It has one tag, and is two publications."""
    exchange = Exchange("both", type="topic")
    for name in ("one", "two"):
        Queue(name, exchange, routing_key="#")(connection.default_channel).declare()
    Producer(connection, exchange).publish({}, routing_key="anything")
    assert client.llen("one") == client.llen("two") == 1


def test_a_batch_arrives_whole_and_once(connection: Connection, client: Redis) -> None:
    """The relay sends its rows so."""
    producer: Any = Producer(connection)
    with producer.batch(max_size=10):
        for number in range(25):
            producer.publish({"n": number}, routing_key="jobs", priority=number % 2 * 9)
    assert client.llen("jobs") == 13
    assert client.llen("jobs\x06\x169") == 12


def test_no_two_calls_have_the_same_number_not_even_after_a_fork() -> None:
    """What looks repeated is dropped, so this would be a loss."""
    publisher = Publisher()
    tags = [publisher.next_tag() for _ in range(CALLS_A_NAME + 2)]
    assert len(set(tags)) == len(tags)
    assert len({tag.publisher for tag in tags}) == 2
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, publisher.next_tag().publisher.encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 100).decode() != publisher.next_tag().publisher
    os.close(reader)
    os.close(writer)


def test_what_is_published_for_a_stock_worker_is_what_stock_kombu_writes(
    connection: Connection, client: Redis, plain_url: str
) -> None:
    """One byte more or less, and going back to redis:// would be a migration."""
    Producer(connection).publish({"a": 1}, routing_key="jobs", priority=3)
    with Connection(plain_url) as stock:
        simple = stock.SimpleQueue("jobs")
        message = simple.get(timeout=5)
        assert message.payload == {"a": 1}
        message.ack()
        simple.close()
    assert client.llen("jobs") == 0


def test_a_call_that_is_repeated_is_dropped_whole_and_another_one_is_not(connection: Connection, client: Redis) -> None:
    """Whatever the order in which calls arrive. The server remembers for a while, and not for ever."""
    channel: Any = connection.default_channel
    first, second = channel.publisher.next_tag(), channel.publisher.next_tag()
    for tag, messages in ((second, "c"), (first, "ab"), (second, "c"), (first, "ab")):
        channel.put_all(tag, [("jobs", message) for message in messages])
    assert client.lrange("jobs", 0, -1) == [b"b", b"a", b"c"]
    assert 0 < int(client.pttl(f"{SEEN}{first.publisher}")) <= WINDOW_MS
