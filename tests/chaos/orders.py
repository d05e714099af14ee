"""`./run chaos orders`: thousands of orders, and every two seconds one of four workers, drawn at random, is killed.

Prints one line of JSON: sent, done, lost, doubled, kills, seconds. Exit code 0 only if nothing was lost or done twice.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from threading import Event

from tests.chaos.shop_floor import ShopFloor, Tally

KILL_EVERY = timedelta(seconds=2)
TEND_EVERY = timedelta(milliseconds=100)
WORKERS = 4


def storm(
    floor: ShopFloor, *, orders: int, seed: int, within: timedelta, kills_at_least: int = 0
) -> tuple[Tally, dict[str, float]]:
    """Place *orders* in portions while the worker is killed; wait until all are fulfilled, or *within* is over.

    More are placed where they were fulfilled before *kills_at_least*.
    """
    draw = random.Random(seed)
    began = time.monotonic()
    next_kill = began + KILL_EVERY.total_seconds()
    placed: list[int] = []
    kills, pause = 0, Event()
    while time.monotonic() - began < within.total_seconds():
        if len(placed) < orders:
            placed += floor.place(min(100, orders - len(placed)))
        elif floor.fulfilled(placed) == len(placed):
            if kills >= kills_at_least:
                break
            placed += floor.place(orders)
        if time.monotonic() >= next_kill and floor.workers:
            draw.choice(floor.workers).kill()
            kills += 1
            next_kill += KILL_EVERY.total_seconds() * draw.uniform(0.5, 1.5)
        floor.tend()
        pause.wait(TEND_EVERY.total_seconds())
    return floor.tally(placed), {"sent": len(placed), "kills": kills, "seconds": round(time.monotonic() - began, 1)}


def main(arguments: list[str]) -> int:
    """Run it on servers of its own."""
    from benchmarks.servers import servers

    parser = argparse.ArgumentParser(prog="./run chaos orders", description=__doc__)
    parser.add_argument("--orders", type=int, default=3_000, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which it is killed (%(default)s)")
    parser.add_argument("--minutes", type=float, default=40, help="give up after so long (%(default)s)")
    chosen = parser.parse_args(arguments)
    with servers() as directory:
        import os

        with ShopFloor(directory=Path(directory), environment=dict(os.environ), workers=WORKERS) as floor:
            tally, figures = storm(
                floor,
                orders=chosen.orders,
                seed=chosen.seed,
                within=timedelta(minutes=chosen.minutes),
            )
    print(json.dumps({"scenario": "orders", **asdict(tally), **figures}))  # noqa: T201
    return 1 if tally.lost or tally.charged_twice or tally.shipped != chosen.orders else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
