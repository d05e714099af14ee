"""The brokers' servers, each started once a process, when the first test asks for it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from project.local.errors import ServiceFailed
from project.local.ports import FreePorts
from project.local.server import Server
from project.local.valkey import BrokerValkey
from tests.servers.embedded import plain, with_database
from tests.servers.moto import ACCESS_KEY, SECRET_KEY, MotoServer
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis_server import BrokerRedis


class BrokerServers:
    """Starts servers when they are first asked for, and ends them all."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._ports, self._stack = directory, FreePorts(), ExitStack()
        self._running: dict[str, Server] = {}
        self._missing: dict[str, ServiceFailed] = {}
        self._databases = itertools.count(1)

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

    @property
    def sqs_url(self) -> str:
        """Of moto's SQS, as BROKER_URL takes it."""
        return self.get("moto").url.replace("http://", f"sqs://{ACCESS_KEY}:{SECRET_KEY}@")

    def empty_database(self, name: str) -> str:
        """The URL of a database of the Redis server *name* that nobody has had."""
        return with_database(plain(self.get(name).url), next(self._databases))

    def close(self) -> None:
        """End them."""
        self._stack.close()

    def _make(self, name: str) -> Server:
        directory = self._directory / name
        if name == "moto":
            return MotoServer(directory=directory, port=self._ports.pick(name), name=name)
        if name == "rabbitmq":
            return RabbitMQ(directory=directory, ports=self._ports)
        if name == "redis":
            return BrokerRedis(directory=directory, port=self._ports.pick(name), name=name)
        return BrokerValkey(directory=directory, port=self._ports.pick(name), name=name)


@pytest.fixture(scope="session")
def broker_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerServers]:
    """Those of this process."""
    servers = BrokerServers(tmp_path_factory.mktemp("brokers"))
    yield servers
    servers.close()
