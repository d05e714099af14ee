"""One Celery worker that can be harmed in all the ways there are, and remembers when that was."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import psutil

from project.env import PROJECT_ROOT
from project.local.child import Child
from tests.chaos import journal
from tests.chaos.tally import Harm

PLAIN: Final = ("-A", "tests.chaos.worker_app")
LEDGER: Final = ("-A", "project")
PREFORK: Final = "prefork"
POOLS: Final = (PREFORK, "threads", "solo")
WORKER: Final = ("worker", "--loglevel", "INFO", "--without-gossip", "--without-mingle")


class Worker:
    """Started by `start`; whatever it was, `start` begins a new incarnation of the same name.

    harms: by incarnation ("a.1", "a.2", …), as the journal names it.
    """

    def __init__(
        self,
        name: str,
        *,
        directory: Path,
        environment: Mapping[str, str],
        broker: str,
        ledger: bool,
        skew: timedelta,
        pool: str,
    ) -> None:
        self.name = name
        self.harms: dict[str, list[Harm]] = defaultdict(list)
        celery = ["celery"] if not skew else ["tests.chaos.skewed_clock", str(skew.total_seconds())]
        words = [*celery, *(LEDGER if ledger else PLAIN), "--broker", broker, *WORKER, "--hostname", f"{name}@%h"]
        include = ["--include", "tests.chaos.ledger_app"] if ledger else []
        self._command = [sys.executable, "-m", *words, *include, "--pool", pool, "--concurrency", "1"]
        self._environment = environment
        self._directory = directory
        self._children: list[Child] = []

    @property
    def incarnation(self) -> str:
        """The name of the present incarnation."""
        return f"{self.name}.{len(self._children)}"

    @property
    def child(self) -> Child:
        """The process of the present incarnation."""
        return self._children[-1]

    def start(self) -> None:
        """Begin an incarnation. What an earlier one left running goes on."""
        child = Child(
            name=self.name,
            command=self._command,
            environment={**self._environment, journal.WORKER: f"{self.name}.{len(self._children) + 1}"},
            directory=PROJECT_ROOT,
            log=self._directory / f"{self.name}.log",
        )
        self._children.append(child)
        child.start()

    def kill_main(self) -> None:
        """SIGKILL of the main process alone; the child that runs a job may finish it, and nobody will hear."""
        self._harmed(final=True)
        os.kill(self.child.pid, signal.SIGKILL)

    def kill_child(self) -> None:
        """SIGKILL of a pool process; the main process lives on. Raises LookupError for a pool without processes."""
        self._harmed(final=False)
        psutil.Process(self.child.pid).children()[0].kill()

    def kill_all(self) -> None:
        """SIGKILL of everything that belongs to it."""
        self._harmed(final=True)
        self.child.kill()

    def freeze(self) -> None:
        """SIGSTOP for everything that belongs to it."""
        self._harmed(final=False)
        os.killpg(self.child.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.killpg(self.child.pid, signal.SIGCONT)

    def stop(self, *, grace: timedelta) -> None:
        """SIGTERM, and SIGKILL for everything that is left after *grace*."""
        child = self.child
        child.ask_to_stop()
        if not child.ended(within=grace):
            self._harmed(final=True)
        child.kill()

    def bury(self) -> None:
        """End every incarnation."""
        for child in self._children:
            child.kill()

    def _harmed(self, *, final: bool) -> None:
        self.harms[self.incarnation].append(Harm(at=time.monotonic(), final=final))
