"""A Redis or Valkey server as a local process."""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import redis
from pytest_celery import RedisContainer

from .processes import ProcessContainer

HOST: Final = "127.0.0.1"
PORTS: Final = range(10_000, 20_000)
"""Below those that Linux and macOS give to outgoing connections. One of these could take the server's port before it
listens or while it is down, and most easily that of a client who tries to reach it there."""


class RedisProcess(ProcessContainer, RedisContainer):  # type: ignore[misc] # pytest-celery has no types
    """A server of its own on a private port, which stays the same over a restart.

    command: the program, `["valkey-server"]` say, and options of its own.
    options: what the server is started with; pytest-celery's, by default.
    """

    def __init__(
        self, command: Sequence[str], *, directory: Path, name: str = "redis", options: Sequence[str] | None = None
    ) -> None:
        self._port = _free_port()
        given = list(options) if options is not None else self.command()[1:]
        own = ["--port", str(self._port), "--bind", HOST, "--dir", str(directory), "--daemonize", "no"]
        super().__init__([*command, *given, *own], name=name, directory=directory)

    @property
    def hostname(self) -> str:
        """Where it listens."""
        return HOST

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def url(self) -> str:
        """The same for processes beside it as for the test."""
        return str(self.host_url)

    @property
    def host_url(self) -> str:
        """The URL of database 0."""
        return f"{self.prefix()}{HOST}:{self._port}/{self.vhost}"

    def is_ready(self) -> bool:
        """Whether it answers, its data loaded."""
        with closing(redis.Redis(HOST, self._port, socket_timeout=1)) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


def _free_port() -> int:
    for port in random.sample(PORTS, 100):
        with suppress(OSError), socket.create_server((HOST, port)):
            return port
    raise OSError(f"no free port on {HOST}: a hundred from {PORTS.start} to {PORTS.stop - 1} were tried, all are taken")
