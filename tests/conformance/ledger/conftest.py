"""Each test of the suite runs on each ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from redis import Redis

from tests.conformance.ledger.subjects import PostgresSubject, RedisSubject, Subject


@pytest.fixture(params=["postgres", "redis"])
def subject(request: pytest.FixtureRequest, transactional_db: None, clean_cache: str) -> Iterator[Subject]:
    """A ledger without entries, and its server."""
    if request.param == "postgres":
        yield PostgresSubject()
        return
    with closing(Redis.from_url(clean_cache, socket_timeout=10)) as client:
        yield RedisSubject(client)
