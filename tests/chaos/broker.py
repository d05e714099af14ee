"""A Valkey that can be frozen, killed, and cut from its power."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import redis

from project.local.ports import HOST, FreePorts
from project.local.valkey import BrokerValkey, Valkey
from project.local.waiting import wait_until
from tests.chaos.fsynced import Fsynced

UUID: Final = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
INTAKE: Final = b"tasks.intake"
# A command whose last bytes never reached the disk, as the end of a file that was being written looks.
TORN: Final = b"*3\r\n$3\r\nSET\r\n$4\r\ntorn\r\n$10\r\nhalf"


class EverysecBroker(Valkey):
    """A broker of one scenario's own. Its file is fsynced every second."""

    options: ClassVar[tuple[str, ...]] = BrokerValkey.options

    def __init__(self, *, directory: Path) -> None:
        super().__init__(directory=directory, port=FreePorts().pick("chaos broker"), name="broker")
        self._fsynced: Fsynced | None = None

    @property
    def _files(self) -> Path:
        return self.directory / "appendonlydir"

    def start(self) -> Self:
        """Start it; from now on it is known how much of its file a power cut would leave."""
        super().start()
        self._fsynced = Fsynced(self.port, self._files).start()
        return self

    def client(self) -> redis.Redis:
        """A connection that waits for no more than twenty seconds."""
        return redis.Redis(host=HOST, port=self.port, socket_timeout=20, socket_connect_timeout=20)

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nothing is answered."""
        os.kill(self.child.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.child.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL. What it has written stays with the kernel and will reach the disk."""
        if self._fsynced:
            self._fsynced.stop()
        super().kill()

    def cut_power(self) -> None:
        """Kill it, and leave of its file what a power cut would.

        The file is cut back to the size that the server itself has confirmed as fsynced (WAITAOF, asked every 50 ms):
        up to about a second of answered writes is gone, messages and acks alike.
        """
        self.kill()
        if self._fsynced:
            os.truncate(self._file(), self._fsynced.size)

    def everything_on_disk(self) -> bool:
        """Wait until all that has been written so far would survive a power cut."""
        fsynced, size = self._fsynced, self._file().stat().st_size
        return fsynced is None or wait_until(lambda: fsynced.size >= size, within=timedelta(seconds=30))

    def ids(self) -> set[str]:
        """Every UUID in whatever it stores, except in the intake: what isn't here is no message any more."""
        return self._uuids(lambda key: not key.startswith(INTAKE))

    def ids_kept(self) -> set[str]:
        """Every UUID in the intake."""
        return self._uuids(lambda key: key.startswith(INTAKE))

    def _uuids(self, wanted: Any) -> set[str]:
        with self.client() as client:
            return {
                one.decode()
                for key in filter(wanted, client.scan_iter(count=500))
                for value in _values(client, key)
                for one in UUID.findall(value)
            }

    def _file(self) -> Path:
        (file,) = self._files.glob("*.incr.aof")
        return file


class AlwaysBroker(EverysecBroker):
    """Its answers wait for the disk."""

    options = tuple("always" if option == "everysec" else option for option in BrokerValkey.options)

    def cut_power(self) -> None:
        """Kill it, and leave of its file what a power cut would.

        Whatever was answered is there, as each answer waited for the disk. The command that was being written is torn
        in half.
        """
        self.kill()
        with self._file().open("ab") as end:
            end.write(TORN)


def _values(client: Any, key: bytes) -> Iterable[bytes]:
    kind = client.type(key)
    if kind == b"list":
        return client.lrange(key, 0, -1)  # type: ignore[no-any-return]
    if kind == b"hash":
        return [part for pair in client.hgetall(key).items() for part in pair]
    if kind == b"zset":
        return client.zrange(key, 0, -1)  # type: ignore[no-any-return]
    if kind == b"string":
        return [client.get(key) or b""]
    return []
