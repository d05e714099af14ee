"""Where the nodes of the smoke tests come from: local processes here, containers in `container_nodes`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from pytest_celery import CeleryTestWorker, RedisTestBroker

from project.env import PROJECT_ROOT
from tasks.testing.processes import ProcessContainer
from tasks.testing.redis_process import RedisProcess
from tasks.testing.worker_process import WorkerProcess

# The broker keeps what it took over a restart, and throws nothing away, as the project's does.
BROKER_OPTIONS = ("--save", "", "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction")


class Nodes(Protocol):
    """Starts pytest-celery's nodes, and ends them all."""

    def broker(self) -> Any:
        """A Redis or Valkey node that keeps what it took."""

    def worker(self, name: str, command: list[str], environment: Mapping[str, str]) -> Any:
        """A node that runs *command* where the project can be imported. It may not be ready yet."""

    def teardown(self) -> None:
        """End every node."""


class ProcessNodes:
    """Local processes."""

    def __init__(self, directory: Path, redis_server_command: list[str], database_url: str) -> None:
        self._directory, self._redis_server_command = directory, redis_server_command
        self._database_url = database_url
        self._teardowns: list[Callable[[], None]] = []
        self._relayed = False  # what is tried again waits in the database, for a relay to send it

    def broker(self) -> Any:
        server = RedisProcess(self._redis_server_command, directory=self._directory / "broker", options=BROKER_OPTIONS)
        self._teardowns.append(server.teardown)
        server.ready()
        return RedisTestBroker(server)

    def worker(self, name: str, command: list[str], environment: Mapping[str, str]) -> Any:
        surroundings = {"DATABASE_URL": self._database_url, **environment, "PYTHONPATH": str(PROJECT_ROOT)}
        worker = WorkerProcess(command, directory=self._directory / name, name=name, environment=surroundings)
        self._teardowns.append(worker.teardown)
        if not self._relayed:
            self._relayed = True
            relay = [sys.executable, "-m", "django", "relay", "--sweep", "0.3"]
            process = ProcessContainer(relay, name="relay", directory=self._directory, environment=surroundings)
            self._teardowns.append(process.teardown)
        return CeleryTestWorker(worker, app=None)

    def teardown(self) -> None:
        while self._teardowns:
            self._teardowns.pop()()
