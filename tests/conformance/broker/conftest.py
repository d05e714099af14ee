"""The brokers' servers, each started once a process, when the first test asks for it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from project.local.errors import ServiceFailed
from project.local.ports import FreePorts
from project.local.server import Server
from project.local.valkey import BrokerValkey
from tests.conformance.broker.floor import Floor
from tests.conformance.broker.subjects import Subject
from tests.servers.embedded import with_database
from tests.servers.moto import ACCESS_KEY, SECRET_KEY, MotoServer
from tests.servers.rabbitmq import RabbitMQ

_databases: Final = itertools.count(1)


class Servers:
    """Starts servers when they are first asked for, and ends them all."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._ports, self._stack = directory, FreePorts(), ExitStack()
        self._running: dict[str, Server] = {}
        self._missing: dict[str, ServiceFailed] = {}

    def get(self, name: str) -> Server:
        """The server called so. Where it can't run, the test is skipped on a laptop and fails in CI."""
        if name not in self._running and name not in self._missing:
            try:
                self._running[name] = self._stack.enter_context(self._make(name))
            except ServiceFailed as failure:
                self._missing[name] = failure
        if name in self._missing:
            say = pytest.fail if os.environ.get("CI", "").lower() in {"true", "1"} else pytest.skip
            say(str(self._missing[name]))
        return self._running[name]

    def close(self) -> None:
        """End them."""
        self._stack.close()

    def _make(self, name: str) -> Server:
        directory = self._directory / name
        if name == "moto":
            return MotoServer(directory=directory, port=self._ports.pick(name), name=name)
        if name == "rabbitmq":
            return RabbitMQ(directory=directory, ports=self._ports)
        return BrokerValkey(directory=directory, port=self._ports.pick(name), name=name)


@pytest.fixture(scope="session")
def broker_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Those of this process."""
    servers = Servers(tmp_path_factory.mktemp("brokers"))
    yield servers
    servers.close()


@pytest.fixture
def subject(request: pytest.FixtureRequest, broker_servers: Servers) -> Subject:
    """A broker of its own for the test: an empty database of Redis, or queues of names that are nobody else's."""
    return new_subject(broker_servers, request.param)


def new_subject(servers: Servers, name: str) -> Subject:
    """The subject called so."""
    makers: dict[str, Callable[[], Subject]] = {
        "redis": partial(_redis, servers, "valkey", name),
        "sqs": lambda: Subject(name=name, url=_sqs_url(servers), options={"wait_time_seconds": 1}),
        "rabbitmq": lambda: Subject(name=name, url=servers.get("rabbitmq").url),
    }
    return makers[name]()


def _sqs_url(servers: Servers) -> str:
    return servers.get("moto").url.replace("http://", f"sqs://{ACCESS_KEY}:{SECRET_KEY}@")


def _redis(servers: Servers, server: str, name: str, **options: Any) -> Subject:
    return Subject(name=name, url=with_database(servers.get(server).url, next(_databases)), options=options)


@pytest.fixture
def notes_url(broker_servers: Servers) -> str:
    """An empty database of a Valkey beside the broker under test."""
    return with_database(broker_servers.get("valkey").url, next(_databases))


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
