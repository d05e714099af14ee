"""The Valkey of a benchmark, with production's durability, and what it tells of its own costs."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import psutil
import redis

from project.local.valkey import BrokerValkey

OWN: Final = (
    "info",
    "llen",
    "lindex",
    "xinfo",
    "xinfo|groups",
    "config|resetstat",
    "client|setinfo",
    "hello",
    "select",
)
"""Commands that the measuring itself sends."""


@dataclass(slots=True)
class ServerCost:
    """Since the last `forget`: CPU seconds, commands carried out (those inside scripts too), and reads of a socket,
    which is how often a client said something and, unless it did not wait, was answered: a round trip."""

    cpu: float
    commands: float
    reads: float


UNKNOWN: Final = ServerCost(cpu=math.nan, commands=math.nan, reads=math.nan)
"""Of a server that is not this one."""


class Broker:
    """The server of all couriers but Procrastinate. Emptied between measurements."""

    def __init__(self, valkey: BrokerValkey) -> None:
        self.valkey = valkey
        self.client = redis.Redis(port=valkey.port)
        self._asked = 0
        self._cpu = 0.0

    @property
    def url(self) -> str:
        """Of database 0, for stock Celery and the others; ours adds what its scheme has more."""
        return self.valkey.plain_url

    def empty(self) -> None:
        """Nothing is left in it."""
        self.client.flushall()

    def length(self, key: str) -> int:
        """Of a list."""
        self._asked += 1
        return int(self.client.llen(key))

    def lag(self, stream: str) -> int:
        """How many entries of a stream its group has not been given."""
        self._asked += 1
        groups: list[dict[str, Any]] = self.client.xinfo_groups(stream)
        return int(groups[0]["lag"])

    def fill(self, key: str, jobs: int, template: bytes) -> None:
        """Push *jobs* copies of *template*, each with ids of its own."""
        task_id, tag = _ids(template)
        for first in range(0, jobs, 5_000):
            copies = [
                template.replace(task_id, str(uuid4()).encode()).replace(tag, str(uuid4()).encode())
                for _ in range(min(5_000, jobs - first))
            ]
            self.client.lpush(key, *copies)

    def newest(self, key: str) -> bytes:
        """The message that was pushed last. Raises LookupError."""
        message: Any = self.client.lindex(key, 0)
        if message is None:
            raise LookupError(f"no message in {key} to copy")
        return bytes(message)

    def forget(self) -> None:
        """Begin to count anew."""
        self.client.config_resetstat()
        self._asked, self._cpu = 0, self._spent()

    def cost(self) -> ServerCost:
        """Since `forget`, without what the measuring itself has asked."""
        cpu = self._spent() - self._cpu
        stats = self.client.info("commandstats")
        commands = sum(int(one["calls"]) for name, one in stats.items() if name.removeprefix("cmdstat_") not in OWN)
        reads = int(self.client.info("stats")["total_reads_processed"])
        return ServerCost(cpu=cpu, commands=commands, reads=reads - self._asked - 3)

    def memory(self) -> int:
        """Bytes in use."""
        return int(self.client.info("memory")["used_memory"])

    def _spent(self) -> float:
        return float(sum(psutil.Process(self.valkey.child.pid).cpu_times()[:2]))


def _ids(message: bytes) -> tuple[bytes, bytes]:
    told = json.loads(message)
    return told["headers"]["id"].encode(), told["properties"]["delivery_tag"].encode()
