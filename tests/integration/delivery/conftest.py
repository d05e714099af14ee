"""A floor for workers, on this process's own database of the suite's Valkey."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from tests.integration.delivery.floor import Floor


@pytest.fixture
def plain_url(clean_broker: str) -> str:
    """The broker's address for a client of Redis."""
    return clean_broker.replace("+lease://", "://")


@pytest.fixture
def lease_url(plain_url: str) -> str:
    """The broker's address for the leased transport."""
    return plain_url.replace("://", "+lease://", 1)


@pytest.fixture
def client(plain_url: str) -> Iterator[Redis]:
    """A client of the broker."""
    with closing(Redis.from_url(plain_url, socket_timeout=10)) as client:
        yield client


@pytest.fixture
def floor(lease_url: str, client: Redis, tmp_path: Path) -> Iterator[Floor]:
    """No worker yet."""
    floor = Floor(lease_url, tmp_path, client)
    yield floor
    floor.close()
