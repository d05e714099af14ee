"""What is Valkey's own: entries that go by themselves, and calls that a client repeats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from tasks.execution.ledger import Claim, Done
from tasks.execution.ledgers.redis import RedisLedger

HOUR = timedelta(hours=1)


@pytest.fixture
def client(clean_cache: str) -> Iterator[Redis]:
    with closing(Redis.from_url(clean_cache, socket_timeout=10)) as client:
        yield client


class Repeating(RedisLedger):
    """Sends each call twice, as a client does that has lost the first answer."""

    def _call(self, script: Any, key: str, *values: object) -> Any:
        super()._call(script, key, *values)
        return super()._call(script, key, *values)


def test_a_call_whose_answer_was_lost_gets_the_same_answer(client: Redis) -> None:
    """Else its own claim would look like somebody else's, and what it completed like lost."""
    ledger = Repeating(client)
    claim = ledger.claim("key", fingerprint="", owner="one", lease=HOUR, ttl=HOUR)
    assert isinstance(claim, Claim)
    assert not claim.unknown
    ledger.abandon(claim)
    second = ledger.claim("key", fingerprint="", owner="two", lease=HOUR, ttl=HOUR)
    assert isinstance(second, Claim)
    assert second.unknown
    ledger.complete(second, "result", ttl=HOUR)

    assert ledger.claim("key", fingerprint="", owner="three", lease=HOUR, ttl=HOUR) == Done(
        result="result", owner="two"
    )


def test_every_entry_expires_by_itself(client: Redis) -> None:
    """Nothing prunes them."""
    ledger = RedisLedger(client, prefix="mine:")
    claim = ledger.claim("key", fingerprint="", owner="one", lease=HOUR, ttl=HOUR)
    assert isinstance(claim, Claim)
    assert HOUR < timedelta(milliseconds=client.pttl("mine:key")) <= 2 * HOUR
    ledger.complete(claim, None, ttl=HOUR)
    assert timedelta(0) < timedelta(milliseconds=client.pttl("mine:key")) <= HOUR
    assert ledger.prune(limit=1) == 0


def test_it_takes_a_client_that_decodes_answers(clean_cache: str) -> None:
    with closing(Redis.from_url(clean_cache, decode_responses=True)) as client:
        ledger = RedisLedger(client)
        claim = ledger.claim("key", fingerprint="", owner="öne", lease=HOUR, ttl=HOUR)
        assert isinstance(claim, Claim)
        ledger.complete(claim, "é", ttl=HOUR)

        assert ledger.claim("key", fingerprint="", owner="", lease=HOUR, ttl=HOUR) == Done(result="é", owner="öne")
