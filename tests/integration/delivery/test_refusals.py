"""A server that answers, but refuses: the worker tries again until it doesn't."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ReadOnlyError

from project.local.ports import HOST, FreePorts
from project.local.valkey import BrokerValkey
from tasks.delivery.scripts import ScriptClient
from tasks.testing.waiting import eventually
from tests.conformance.broker.floor import Floor
from tests.conformance.broker.subjects import LEASE, Subject
from tests.servers.brokers import BrokerServers


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Redis]:
    """A Valkey of the test's own; a client of it."""
    port = FreePorts().pick("refusing")
    with BrokerValkey(directory=tmp_path / "valkey", port=port, name="valkey"), closing(Redis(HOST, port)) as client:
        yield client


@pytest.fixture
def floor(server: Redis, broker_servers: BrokerServers, tmp_path: Path) -> Iterator[Floor]:
    """A leased queue on it, with one worker."""
    port = server.connection_pool.connection_kwargs["port"]
    subject = Subject(name="lease", url=f"redis+lease://{HOST}:{port}/0", options={"lease": LEASE.total_seconds()})
    floor = Floor(subject, notes_url=broker_servers.empty_database("valkey"), directory=tmp_path)
    floor.worker(options="--concurrency 1")
    yield floor
    floor.close()


def test_a_worker_goes_on_when_the_scripts_were_flushed(server: Redis, floor: Floor) -> None:
    """By somebody who cleans up, or by a primary that never had them."""
    carried_out(floor, "before")
    for turn in range(2):
        server.script_flush()
        carried_out(floor, f"after {turn}")


def test_a_worker_goes_on_when_its_primary_was_a_replica_for_a_while(server: Redis, floor: Floor) -> None:
    """A replica answers READONLY to every claim and acknowledgement, and to every declaration of who connects anew."""
    floor.send("hold", "held")
    floor.await_said("held", "started")
    refused = refusals(server)
    server.config_set("replica-serve-stale-data", "yes")
    server.replicaof(HOST, 1)
    floor.release("held")
    eventually(lambda: refusals(server) > refused + 5)
    server.replicaof("NO", "ONE")

    carried_out(floor, "after")
    assert floor.said("held").count("finished") >= 1


def test_who_is_told_that_the_primary_is_a_replica_now_connects_anew(server: Redis) -> None:
    """Its name may lead to the new primary. On the old connection no lease would ever be renewed again."""
    scripts = ScriptClient(server)
    before = server.client_id()
    server.replicaof(HOST, 1)
    with pytest.raises(ReadOnlyError):
        scripts.run("publish", ["seen", "q"], [1, 1000, "message"])
    assert server.client_id() != before
    server.replicaof("NO", "ONE")
    assert scripts.run("publish", ["seen", "q"], [1, 1000, "message"]) == 1


def carried_out(floor: Floor, mark: str) -> None:
    """Send a job and wait until it has run, by the worker that was started."""
    floor.send("say", mark)
    floor.await_said(mark, "ran")
    assert [worker.status for worker in floor.workers] == ["running"]


def refusals(server: Redis) -> int:
    """How often the server has said READONLY so far."""
    stats: Any = server.info("errorstats")
    return int(stats.get("errorstat_READONLY", {}).get("count", 0))
