"""What really ran, written down by the workers in a way that survives any kill: one appended line an event.

Each line is one `write` to a file opened with O_APPEND, so that lines of many processes never mix and none is lost
with its process. Times are of the monotonic clock, which is one for the whole machine and can't be skewed.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = "CHAOS_JOURNAL"
WORKER = "CHAOS_WORKER"


def note(what: str, job: int = -1) -> None:
    """Called in a worker: *what* is "ready", "start" or "end"."""
    line = json.dumps({"what": what, "job": job, "worker": os.environ[WORKER], "at": time.monotonic()})
    descriptor = os.open(os.environ[FILE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode() + b"\n")
    finally:
        os.close(descriptor)


@dataclass(slots=True, kw_only=True)
class Run:
    """One run of a job by an incarnation of a worker. ended_at: None while it runs, and for ever if it was cut."""

    job: int
    worker: str
    started_at: float
    ended_at: float | None = None


class Journal:
    """The reader's side. `runs` are in the order of their starts; `ready`: incarnations that have begun to consume."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.runs: list[Run] = []
        self.ready: set[str] = set()
        self.last_at = time.monotonic()
        self._read_to = 0
        file.touch()

    def read(self) -> list[Run]:
        """Take in what was written since the last time; return all runs."""
        with self.file.open("rb") as file:
            file.seek(self._read_to)
            for line in file:
                self._read_to += len(line)
                self._take(json.loads(line))
        return self.runs

    @property
    def done(self) -> set[int]:
        """Jobs that have run to their end at least once."""
        return {run.job for run in self.runs if run.ended_at is not None}

    def _take(self, event: dict[str, Any]) -> None:
        self.last_at = event["at"]
        if event["what"] == "ready":
            self.ready.add(event["worker"])
        elif event["what"] == "start":
            self.runs.append(Run(job=event["job"], worker=event["worker"], started_at=event["at"]))
        else:
            for run in reversed(self.runs):
                if (run.job, run.worker, run.ended_at) == (event["job"], event["worker"], None):
                    run.ended_at = event["at"]
                    return
