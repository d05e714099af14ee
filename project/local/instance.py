"""At most one `./run up` in a directory. The lock is the kernel's, so it ends with its holder, in whatever way."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path


class AlreadyRunning(RuntimeError):
    """Another process holds the directory. Carries its number and where its pages are, if it got that far."""

    def __init__(self, pid: int, url: str) -> None:
        super().__init__(pid, url)
        self.pid, self.url = pid, url

    def __str__(self) -> str:
        where = f" at {self.url}" if self.url else ""
        return f"already running{where} (process {self.pid}). To do: use that one, or end it with Ctrl-C there"


class Instance:
    """The claim on *directory*, held until this process ends. Raises AlreadyRunning."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._file = (directory / "up.lock").open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            holder = json.loads(self._file.read() or '{"pid": 0, "url": ""}')
            self._file.close()
            raise AlreadyRunning(holder["pid"], holder["url"]) from None
        self.tell("")

    def tell(self, url: str) -> None:
        """Let others know where the pages are."""
        self._file.truncate(0)
        self._file.write(json.dumps({"pid": os.getpid(), "url": url}))
        self._file.flush()
