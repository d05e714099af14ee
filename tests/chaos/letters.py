"""`./run chaos letters`: thousands of jobs, of which every tenth dies, in every way, while workers are killed.

Prints one line of JSON: what became of the jobs, kills, seconds. Exit code 0 only if jobs = succeeded + dead letters +
waiting, to the last one, and none waits any more.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from threading import Event

from tests.chaos.storm_floor import StormFloor, Tally

DYING = 0.1
KILLERS = 2
KILL_EVERY = timedelta(seconds=10)
TEND_EVERY = timedelta(milliseconds=250)
PORTION = 100
LEFT_ALONE = 0.05


def storm(
    floor: StormFloor, *, jobs: int, seed: int, within: timedelta, dying: float = DYING
) -> tuple[Tally, dict[str, float]]:
    """Send *jobs* in portions while workers are killed; wait until none waits, or *within* is over."""
    draw = random.Random(seed)
    began = time.monotonic()
    next_kill = began + KILL_EVERY.total_seconds()
    kills, pause = 0, Event()
    floor.send_killers(KILLERS)
    while time.monotonic() - began < within.total_seconds():
        is_sent = len(floor.sent) >= jobs
        if not is_sent:
            floor.send(min(PORTION, jobs - len(floor.sent)), dying=dying)
        waiting = floor.waiting()
        if is_sent and not waiting:
            break
        # The last ones are left to workers that live: what is killed again and again dies of that.
        if waiting > jobs * LEFT_ALONE and time.monotonic() >= next_kill and floor.workers:
            draw.choice(floor.workers).kill()
            kills += 1
            next_kill = time.monotonic() + KILL_EVERY.total_seconds() * draw.uniform(0.5, 1.5)
        floor.tend()
        pause.wait(TEND_EVERY.total_seconds())
    return floor.tally(), {"kills": kills, "seconds": round(time.monotonic() - began, 1)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it on servers of its own."""
    from benchmarks.servers import servers

    parser = argparse.ArgumentParser(prog="./run chaos letters", description=__doc__)
    parser.add_argument("--jobs", type=int, default=5_000, help="how many (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="of two children each (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of who dies how, and when what is killed (%(default)s)")
    parser.add_argument("--minutes", type=float, default=20, help="give up after so long (%(default)s)")
    chosen = parser.parse_args(arguments)
    with (
        servers() as directory,
        StormFloor(
            directory=directory, environment=dict(os.environ), workers=chosen.workers, seed=chosen.seed
        ) as floor,
    ):
        tally, figures = storm(floor, jobs=chosen.jobs, seed=chosen.seed, within=timedelta(minutes=chosen.minutes))
    print(json.dumps({"scenario": "letters", **asdict(tally), **figures}))  # noqa: T201
    return 0 if tally.adds_up and not tally.waiting else 1
