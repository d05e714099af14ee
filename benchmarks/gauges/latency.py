"""How late a job begins that meets idle workers: so many a second, at even distances."""

from __future__ import annotations

import statistics
from datetime import timedelta
from pathlib import Path

from benchmarks.broker import Broker
from benchmarks.contender import Contender
from project.local.waiting import wait_until

PER_SECOND = 50


def latency(contender: Contender, broker: Broker, directory: Path, *, jobs: int) -> dict[str, float]:
    """Milliseconds from before the call that publishes to the job's first line; and CPU seconds a thousand jobs."""
    broker.empty()
    with contender.working(directory) as fleet:
        contender.publish("steady", PER_SECOND, str(PER_SECOND))  # each process has run a job before
        fleet.latencies.unlink()
        cpu = fleet.cpu()
        contender.publish("steady", jobs, str(PER_SECOND))
        wait_until(lambda: _lines(fleet.latencies) >= jobs, within=timedelta(seconds=20))
        cpu = fleet.cpu() - cpu
        late = sorted(float(line) * 1000 for line in fleet.latencies.read_text().splitlines())
    if len(late) < jobs:
        raise RuntimeError(f"{contender.name}: {jobs - len(late)} of {jobs} jobs have not run")
    cuts = statistics.quantiles(late, n=100)
    return {"p50_ms": cuts[49], "p99_ms": cuts[98], "cpu_per_1000": cpu / jobs * 1000}


def _lines(file: Path) -> int:
    return len(file.read_text().splitlines()) if file.exists() else 0
