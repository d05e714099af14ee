"""`basic_get`: one message at a time, for who asks for it by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kombu import Connection, Producer
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

import tasks.delivery  # noqa: F401 # registers the schemes
from tasks.delivery.intake import intake_size
from tasks.testing.waiting import eventually


@pytest.fixture
def connection(lease_url: str) -> Iterator[Connection]:
    """A connection of this test's own, on which small messages are large."""
    with Connection(lease_url, transport_options={"message_max_bytes": 2000}) as connection:
        yield connection


@pytest.fixture
def channel(connection: Connection) -> Any:
    """Its channel."""
    return connection.default_channel


def held(client: Redis) -> int:
    """How many messages all owners hold."""
    owners: Any = client.keys("tasks.held:*")
    return sum(client.hlen(owner) - 1 for owner in owners)


def publish(connection: Connection, body: str, queue: str) -> None:
    """As anybody does."""
    Producer(connection).publish(body, routing_key=queue)


def lose_answer(channel: Any, monkeypatch: pytest.MonkeyPatch, queue: str, *, heard: bool) -> None:
    """A call for *queue* whose answer is lost. heard: the server has carried it out."""
    run = channel._scripts.run

    def fail(*args: Any) -> None:
        if heard:
            run(*args)
        raise RedisConnectionError("the connection is gone")

    with monkeypatch.context() as patch:
        patch.setattr(channel._scripts, "run", fail)
        with pytest.raises(RedisConnectionError):
            channel.basic_get(queue)


def test_what_was_acknowledged_is_told_although_the_next_call_fails(
    connection: Connection, channel: Any, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it is held, and its lease renewed, until the process ends; then it is carried out again."""
    publish(connection, "a", "jobs")
    channel.basic_get("jobs").ack()
    lose_answer(channel, monkeypatch, "jobs", heard=False)
    eventually(lambda: held(client) == 0)


def test_a_lost_answers_message_is_not_given_to_who_asks_for_another_queues(
    connection: Connection, channel: Any, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes back, to be given to who asks for it."""
    publish(connection, "a", "jobs")
    lose_answer(channel, monkeypatch, "jobs", heard=True)
    assert held(client) == 1
    assert channel.basic_get("others") is None
    eventually(lambda: client.llen("jobs") == 1)
    assert channel.basic_get("jobs").payload == "a"


def test_a_lost_answers_message_is_given_by_the_next_call(
    connection: Connection, channel: Any, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no other with it."""
    for body in "ab":
        publish(connection, body, "jobs")
    lose_answer(channel, monkeypatch, "jobs", heard=True)
    messages = [channel.basic_get("jobs") for _ in "ab"]  # kept: what nobody refers to any more goes back
    assert [message.payload for message in messages] == ["a", "b"]
    assert channel.basic_get("jobs") is None


def test_however_many_can_not_be_read_the_next_that_can_is_given(
    connection: Connection, channel: Any, client: Redis
) -> None:
    """Who asks until there is nothing would leave what is behind them."""
    client.lpush("jobs", *["x" * 3000] * 3, *["x"] * 1200)
    publish(connection, "a", "jobs")
    assert channel.basic_get("jobs", no_ack=True).payload == "a"
    eventually(lambda: held(client) == 0)
    assert intake_size(client) == 1203
