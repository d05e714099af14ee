"""The servers that the suite runs on."""

from __future__ import annotations

import os

import pytest
import redis
from django.contrib.auth.models import User
from django.db import connection

from tests.servers.embedded import plain, with_database


@pytest.mark.django_db
def test_the_database_is_a_real_postgres_of_this_process() -> None:
    """Parallel processes would otherwise see each other's rows."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    assert connection.vendor == "postgresql"
    assert connection.settings_dict["NAME"].endswith(worker)
    assert User.objects.count() == 0


def test_broker_and_cache_are_two_databases(clean_broker: str, clean_cache: str) -> None:
    """Emptying one must not empty the other."""
    with redis.Redis.from_url(plain(clean_broker)) as broker, redis.Redis.from_url(clean_cache) as cache:
        broker.set("queued", 1)
        assert cache.dbsize() == 0
        cache.flushdb()
        assert broker.dbsize() == 1


def test_an_address_keeps_everything_but_its_database_number() -> None:
    """A given broker may have a password and options."""
    assert with_database("rediss://u:p@host:6380/3?ssl=1", 9) == "rediss://u:p@host:6380/9?ssl=1"
