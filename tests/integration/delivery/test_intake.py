"""What can't be handed to a worker waits where its reader can crash."""

from __future__ import annotations

import json

from redis import Redis

from tasks.delivery.intake import intake_peek, intake_remove, intake_size
from tasks.delivery.names import INTAKE, INTAKE_FACTS, INTAKE_RAW


def _put(client: Redis, one: str, raw: bytes, at: int, prefix: str = "") -> None:
    facts = {"reason": "undecodable", "queue": "q", "at": at, "owner": "me"}
    facts |= dict.fromkeys(("delivered", "started", "died", "given_back"), 1)
    client.zadd(prefix + INTAKE, {one: at})
    client.hset(prefix + INTAKE_FACTS, one, json.dumps(facts))
    client.hset(prefix + INTAKE_RAW, one, raw)


def test_reading_removes_nothing_and_removing_twice_does_no_harm(client: Redis) -> None:
    """A reader that dies after its commit reads the same entries again."""
    _put(client, "me:2", b"second", 2000)
    _put(client, "me:1", b"\xff\x00", 1000)
    entries = intake_peek(client)
    assert [(entry.id, entry.raw, entry.at.timestamp()) for entry in entries] == [
        ("me:1", b"\xff\x00", 1.0),
        ("me:2", b"second", 2.0),
    ]
    assert intake_peek(client) == entries
    assert intake_size(client) == 2
    assert intake_remove(client, ["me:1"]) == 1
    assert intake_remove(client, ["me:1"]) == 0
    assert [entry.id for entry in intake_peek(client)] == ["me:2"]
    assert intake_remove(client, ["me:2"]) == 1
    assert client.keys() == []


def test_a_batch_is_bounded_by_bytes_and_never_empty(client: Redis) -> None:
    """A message that was refused for its size must be read all the same, alone."""
    for number in range(3):
        _put(client, f"me:{number}", b"x" * 1000, number)
    assert len(intake_peek(client, most_bytes=10)) == 1
    assert len(intake_peek(client, most_bytes=2000)) == 2
    assert len(intake_peek(client, limit=2)) == 2


def test_each_prefix_has_an_intake_of_its_own(client: Redis) -> None:
    """Two projects share a database by `global_keyprefix`."""
    _put(client, "me:1", b"mine", 1, prefix="mine:")
    assert intake_size(client) == 0
    assert [entry.raw for entry in intake_peek(client, prefix="mine:")] == [b"mine"]
