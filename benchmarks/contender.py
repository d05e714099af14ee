"""One courier in one shape: what is started to work, what is run to publish, and how to see how much is left."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.couriers.publishing import LATENCIES, URL
from project.local.child import Child
from project.local.waiting import wait_until

ROOT: Final = Path(__file__).resolve().parent.parent
CORES: Final = os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """courier: its name in the table. pool: its shape. worker: the command, started `workers` times; `{number}` in its
    words is which of them it is. publisher: the command to which the kind and the number of jobs are added.

    url: of its server, which is the benchmark's Valkey unless `on_valkey` says otherwise; what the server spends is
    measured of that one alone. depth: how many jobs nobody has taken yet. queue: the list that they wait in, if it is
    Celery's and can be filled with copies of one message.
    """

    courier: str
    pool: str
    worker: tuple[str, ...]
    workers: int = 1
    publisher: tuple[str, ...]
    url: str
    depth: Callable[[], int]
    queue: str = ""
    on_valkey: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """In the table."""
        return f"{self.courier}, {self.pool}"

    def publish(self, kind: str, jobs: int, *options: str) -> dict[str, float]:
        """Run the publisher to its end; what it cost, `wall` and `cpu` in seconds."""
        cost: dict[str, float] = json.loads(self.run([*self.publisher, kind, str(jobs), *options]).splitlines()[-1])
        return cost

    def run(self, command: list[str]) -> str:
        """Run a command of it to its end; what it printed."""
        ran = subprocess.run(command, env=self._environment(), cwd=ROOT, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {ran.returncode}:\n{ran.stderr[-2000:]}")
        return ran.stdout

    def _environment(self, latencies: Path | None = None) -> dict[str, str]:
        paths = {URL: self.url, "PYTHONPATH": str(ROOT), LATENCIES: str(latencies or os.devnull)}
        # Importing `project` names its settings there, and Celery would take them for the worker's.
        inherited = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        return {**inherited, **self.environment, **paths}

    @contextmanager
    def working(self, directory: Path) -> Iterator[Fleet]:
        """Its workers, started and come to rest. They end with the block."""
        latencies = directory / "latencies"
        latencies.unlink(missing_ok=True)
        environment = self._environment(latencies)
        log = directory / f"{self.courier}.log"
        children = [
            Child(
                name=self.courier,
                command=[word.format(number=number) for word in self.worker],
                environment=environment,
                directory=ROOT,
                log=log,
            )
            for number in range(self.workers)
        ]
        try:
            for child in children:
                child.start()
            fleet = Fleet(children, latencies)
            fleet.rest()
            yield fleet
        finally:
            for child in children:
                child.ask_to_stop()
            for child in children:
                child.stop()


@dataclass(slots=True)
class Fleet:
    """The running workers of a contender, with all their child processes."""

    children: list[Child]
    latencies: Path

    def processes(self) -> list[Any]:
        """Every process of it that lives. Raises RuntimeError if one of the workers has ended."""
        for child in self.children:
            if not child.alive:
                raise RuntimeError(f"a worker has ended by itself; its log ends with\n{child.log_tail()}")
        roots = [psutil.Process(child.pid) for child in self.children]
        return [*roots, *(one for root in roots for one in root.children(recursive=True))]

    def cpu(self) -> float:
        """User and system seconds of all of them so far."""
        spent = 0.0
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):  # some run a program for a moment while they start
                spent += sum(process.cpu_times()[:2])
        return spent

    def rest(self) -> None:
        """Wait until they have started and have nothing to do: less than 3 % of a core for a second, after a second."""
        wait_until(lambda: self.cpu() > 0.15, within=timedelta(seconds=20))  # importing takes more
        for _ in range(30):
            before = self.cpu()
            time.sleep(1)
            if self.cpu() - before <= 0.03 * len(self.children):
                return
        raise RuntimeError("the workers did not come to rest within 30 seconds")

    def memory(self) -> float:
        """Bytes of memory that are theirs; what several of them share is shared out among them."""
        return float(sum(process.memory_full_info().pss for process in self.processes()))

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """They take nothing during the block."""
        processes = self.processes()
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                process.resume()
