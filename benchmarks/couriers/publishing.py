"""The publishing side of every courier, as a command: `python -m benchmarks.couriers.NAME one_by_one 1000`.

Standard library only. Prints one line of JSON with what it cost this process.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

LATENCIES = "BENCH_LATENCIES"
"""Names the file to which the job `stamp` writes how late it was, in seconds."""
URL = "BENCH_URL"
"""Names the server."""
WAITING = "BENCH_WAITING"
"""Names the file in which the ideal broker keeps how many jobs wait: a number of WORD bytes, as this machine has it."""
WORD = 8
TOLD = "BENCH_TOLD"
"""Names the server, as "host:port", to which the ideal broker tells that a job starts."""
QUEUE = "bench"


def stamped(sent_at: float) -> None:
    """Body of the job `stamp`: note how late it is. All processes of a machine share this clock."""
    late = time.monotonic() - sent_at
    with Path(os.environ[LATENCIES]).open("a") as file:
        file.write(f"{late}\n")


def publish(one: Callable[[int], object], many: Callable[[int], object], stamp: Callable[[float], object]) -> None:
    """Carry out what the command line asks for.

    one: publishes one job that does nothing. many: publishes so many, in the quickest way that this library offers.
    stamp: publishes one job that notes how late it was.
    """
    kind, jobs = sys.argv[1], int(sys.argv[2])
    one(0)  # connects, imports what is imported late
    wall, cpu = time.perf_counter(), time.process_time()
    if kind == "one_by_one":
        for number in range(jobs):
            one(number)
    elif kind == "bulk":
        many(jobs)
    else:
        _steadily(stamp, jobs, per_second=float(sys.argv[3]))
    cost = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    sys.stdout.write(json.dumps(cost) + "\n")


def _steadily(stamp: Callable[[float], object], jobs: int, *, per_second: float) -> None:
    began = time.monotonic()
    for number in range(jobs):
        time.sleep(max(0.0, began + number / per_second - time.monotonic()))
        stamp(time.monotonic())
