"""Subjects and floors: the brokers under test, and workers that drink from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.broker.floor import Floor
from tests.conformance.broker.subjects import DELIVERY_LIMIT, LEASE, Subject
from tests.servers.brokers import BrokerServers


@pytest.fixture
def subject(request: pytest.FixtureRequest, broker_servers: BrokerServers) -> Subject:
    """A broker of its own for the test: an empty database of Redis, or queues of names that are nobody else's."""
    return new_subject(broker_servers, request.param)


def new_subject(servers: BrokerServers, name: str) -> Subject:
    """The subject called so."""
    makers: dict[str, Callable[[], Subject]] = {
        "lease": partial(_leased, servers, "valkey", name),
        "lease-redis": partial(_leased, servers, "redis", name),
        "redis": partial(_redis, servers, "valkey", name),
        "sqs": lambda: Subject(name=name, url=servers.sqs_url, options={"wait_time_seconds": 1}),
        "rabbitmq": lambda: Subject(name=name, url=servers.get("rabbitmq").url),
    }
    return makers[name]()


def _leased(servers: BrokerServers, server: str, name: str) -> Subject:
    url = servers.empty_database(server).replace("redis://", "redis+lease://")
    return Subject(name=name, url=url, options={"lease": LEASE.total_seconds(), "deaths_max": DELIVERY_LIMIT})


def _redis(servers: BrokerServers, server: str, name: str, **options: Any) -> Subject:
    return Subject(name=name, url=servers.empty_database(server), options=options)


@pytest.fixture
def notes_url(broker_servers: BrokerServers) -> str:
    """An empty database of a Valkey beside the broker under test."""
    return broker_servers.empty_database("valkey")


@pytest.fixture
def floor(subject: Subject, notes_url: str, tmp_path: Path) -> Iterator[Floor]:
    """A queue of its own on the subject, without workers."""
    floor = Floor(subject, notes_url=notes_url, directory=tmp_path)
    yield floor
    floor.close()


@pytest.fixture(scope="session")
def manned_floors() -> Iterator[dict[str, Floor]]:
    """Those that are there already, by the subject's name."""
    floors: dict[str, Floor] = {}
    yield floors
    for floor in floors.values():
        floor.close()


@pytest.fixture
def manned_floor(
    subject: Subject, notes_url: str, manned_floors: dict[str, Floor], tmp_path_factory: pytest.TempPathFactory
) -> Floor:
    """One with two workers of one child each, which the tests share: none may harm them."""
    if subject.name not in manned_floors:
        floor = Floor(subject, notes_url=notes_url, directory=tmp_path_factory.mktemp("floor"), backend=notes_url)
        manned_floors[subject.name] = floor
        floor.man(2)
    return manned_floors[subject.name]
