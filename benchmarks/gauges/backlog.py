"""Whether a job costs more when a million others wait: the same number of jobs is done under both backlogs."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.broker import Broker
from benchmarks.contender import Contender
from benchmarks.gauges.drain import fill, sample

SMALL = 1_000


def backlog(contender: Contender, broker: Broker, directory: Path, *, jobs: int, waiting: int) -> dict[str, float]:
    """*jobs* done while *waiting* others wait. A backlog that is too small for that is topped up in between."""
    template = sample(contender, broker)
    with contender.working(directory) as fleet:
        with fleet.frozen():
            fill(contender, broker, waiting, template)
        cpu, began, added = fleet.cpu(), time.perf_counter(), 0
        broker.forget()
        while (done := waiting + added - contender.depth()) < jobs:
            if done - added > SMALL // 2 and waiting <= SMALL:
                broker.fill(contender.queue, SMALL // 2, template)
                added += SMALL // 2
            time.sleep(0.005)
        seconds, cpu = time.perf_counter() - began, fleet.cpu() - cpu
        return {"per_second": done / seconds, "cpu_per_1000": cpu / done * 1000}
