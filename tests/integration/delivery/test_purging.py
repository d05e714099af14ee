"""A purge forgets all of a queue that nobody works on, also what waits on the server for its time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kombu import Connection
from redis import Redis

from tasks.delivery.names import LATER, LATER_MESSAGES
from tests.integration.delivery.owner import Owner

PREFIX = "shop:"


@pytest.fixture
def channel(lease_url: str) -> Iterator[Any]:
    """A channel of a connection of its own, for one of several projects on the server."""
    with Connection(lease_url, transport_options={"global_keyprefix": PREFIX}) as connection:
        yield connection.default_channel


def schedule(client: Redis, key: str, count: int) -> None:
    """Put off messages of the list *key*, as a worker does whose project is ours or another one."""
    owner = Owner(client)
    record = b"\0" * 8 + len(key).to_bytes(2) + key.encode() + b"a message"
    names = [f"{owner.name}:{number}" for number in range(count)]
    prefix = PREFIX if key.startswith(PREFIX) else ""
    client.hset(prefix + LATER_MESSAGES, mapping=dict.fromkeys(names, record))
    client.zadd(prefix + LATER, dict.fromkeys(names, 1e15))


def test_what_waits_for_its_time_is_purged_with_its_queue_and_counted(client: Redis, channel: Any) -> None:
    """Of every urgency; else it would come hours after somebody was told that the queue is empty."""
    client.lpush(f"{PREFIX}jobs", "a")
    schedule(client, f"{PREFIX}jobs", 1200)
    schedule(client, f"{PREFIX}jobs\x06\x166", 2)
    assert channel.queue_purge("jobs") == 1203
    assert client.keys() == []


def test_other_queues_and_other_projects_keep_theirs(client: Redis, channel: Any) -> None:
    """A name that begins like it is another queue's, and so is the same name under another prefix."""
    for key in (f"{PREFIX}jobs", f"{PREFIX}jobs2", "jobs"):
        schedule(client, key, 1)
    assert channel.queue_purge("jobs") == 1
    assert client.hlen(PREFIX + LATER_MESSAGES) == client.zcard(PREFIX + LATER) == 1
    assert client.hlen(LATER_MESSAGES) == client.zcard(LATER) == 1
