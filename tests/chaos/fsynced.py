"""How much of a Valkey's append-only file has reached the disk, by the server's own word."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

import redis

from project.local.ports import HOST

ASK_EVERY_SECONDS = 0.05


class Fsynced:
    """Asks all the time, by WAITAOF; `size` is what the file was known to hold on the disk at the last answer.

    The size is read before the write whose fsync is waited for, so it never claims more than there is. What was
    fsynced since the last answer is left out: a power cut some milliseconds earlier would have left just that.
    """

    def __init__(self, port: int, directory: Path) -> None:
        self.size = 0
        self._client: Any = redis.Redis(host=HOST, port=port, socket_timeout=10)
        self._directory = directory
        self._over = Event()
        self._thread = Thread(target=self._watch, name="fsynced", daemon=True)

    def start(self) -> Self:
        """Begin to ask."""
        self.size = self._file_size()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ask no more; `size` stays."""
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(ASK_EVERY_SECONDS):
            size = self._file_size()
            try:
                self._client.execute_command("SET", "chaos:fsynced", "x", "PX", 1000)
                if self._client.execute_command("WAITAOF", 1, 0, 5000)[0] == 1 and not self._over.is_set():
                    self.size = size
            except redis.RedisError:  # killed or frozen: the last answer stands
                continue

    def _file_size(self) -> int:
        return sum(file.stat().st_size for file in self._directory.glob("*.incr.aof"))
