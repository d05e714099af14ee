"""What something cost: wall time, CPU of this process and its children, CPU of the database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil


@dataclass(slots=True)
class Cost:
    """Seconds; `cpu` is user and system of the process measured, without the servers."""

    wall: float = 0.0
    cpu: float = 0.0

    def per_thousand(self, jobs: int) -> float:
        """CPU seconds a thousand jobs."""
        return self.cpu / jobs * 1000


@contextmanager
def measured() -> Iterator[Cost]:
    """Fill in, at the end of the block, what it cost this process."""
    cost = Cost()
    wall, cpu = time.perf_counter(), time.process_time()
    yield cost
    cost.wall, cost.cpu = time.perf_counter() - wall, time.process_time() - cpu


def cpu_of(pid: int) -> float:
    """User and system seconds of a process and of its living descendants so far."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(sum(process.cpu_times()[:2]) for process in processes)
