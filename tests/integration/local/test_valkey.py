"""The embedded Valkey servers: what each may lose, and starting again."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from project.local.errors import ServiceFailed
from project.local.ports import HOST, FreePorts
from project.local.valkey import BrokerValkey, CacheValkey, Valkey
from project.local.waiting import wait_until


def make(kind: type[Valkey], directory: Path) -> Valkey:
    return kind(directory=directory, port=FreePorts().pick("valkey"), name="valkey")


def test_the_broker_writes_every_job_to_disk_and_never_evicts_one(tmp_path: Path) -> None:
    """A broker that drops keys when memory is short loses jobs without a word."""
    with make(BrokerValkey, tmp_path) as broker, redis.Redis.from_url(broker.plain_url) as client:
        config = client.config_get("append*", "maxmemory-policy")
        assert config["appendonly"] == "yes"
        assert config["appendfsync"] == "everysec"
        assert config["maxmemory-policy"] == "noeviction"


def test_the_broker_keeps_its_jobs_when_it_is_killed(tmp_path: Path) -> None:
    """What was written reaches the kernel at once, and the disk within a second."""
    broker = make(BrokerValkey, tmp_path)
    with broker, redis.Redis.from_url(broker.plain_url) as client:
        client.lpush("critical", "job")
        broker.kill()
    with broker, redis.Redis.from_url(broker.plain_url) as client:
        assert client.llen("critical") == 1


def test_the_cache_is_small_and_forgets(tmp_path: Path) -> None:
    """What must not be lost has no place there; a test that relies on it should fail early."""
    cache = make(CacheValkey, tmp_path)
    with cache, redis.Redis.from_url(cache.url) as client:
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "allkeys-lru"
        assert int(client.config_get("maxmemory")["maxmemory"]) > 0
        client.set("remembered", 1)
    with cache, redis.Redis.from_url(cache.url) as client:
        assert client.dbsize() == 0


def test_it_listens_on_the_loopback_address_alone(tmp_path: Path) -> None:
    """It has no password."""
    with make(CacheValkey, tmp_path) as cache, redis.Redis.from_url(cache.url) as client:
        assert client.config_get("bind")["bind"] == HOST


def test_another_server_on_its_port_is_not_taken_for_it(tmp_path: Path) -> None:
    """It would answer PING as well, and jobs would go who knows where."""
    with make(CacheValkey, tmp_path / "other") as other:
        late = CacheValkey(directory=tmp_path / "late", port=other.port, name="late")
        with pytest.raises(ServiceFailed, match=f"port {other.port}"):
            late.start()
        assert not late.alive


def test_a_stopped_server_gives_its_port_back(tmp_path: Path) -> None:
    """Otherwise the second `up` would move to another port each time."""
    server = make(CacheValkey, tmp_path)
    with server:
        pass

    def bound() -> bool:
        with socket.create_server((HOST, server.port)):
            return True

    assert wait_until(bound, within=timedelta(seconds=1))
