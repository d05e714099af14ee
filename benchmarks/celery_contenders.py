"""Stock Celery, ours and an ideal, side by side: the same app and the same options, another scheme in the URL."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from benchmarks.broker import Broker
from benchmarks.contender import CORES, Contender
from benchmarks.couriers.publishing import QUEUE, TOLD, WAITING, WORD
from project.local.ports import HOST

STOCK, OURS, IDEAL, TELLING = "Celery", "leased", "ideal", "ideal that tells"
POOLS: Final = {
    "prefork": ("--pool prefork --concurrency 2", 1, "prefork -c 2"),
    "threads": ("--pool threads --concurrency 4", CORES, f"{CORES} × threads -c 4"),
    "solo": ("--pool solo", CORES, f"{CORES} × solo"),
}
"""Name → options, how many workers, and how the table calls it."""
IDEAL_POOLS: Final = ("prefork", "solo")
MODULE: Final = "benchmarks.couriers.celery"
IDEAL_MODULE: Final = "benchmarks.couriers.ideal"


def celery_contenders(broker: Broker, pools: list[str], *, prefetch: int, more: str) -> list[Contender]:
    """For each pool stock Celery and then ours, so that they are measured by turns. more: options of their workers."""
    return [_contender(broker, courier, pool, prefetch, more) for pool in pools for courier in (STOCK, OURS)]


def _contender(broker: Broker, courier: str, pool: str, prefetch: int, more: str) -> Contender:
    options, workers, shape = POOLS[pool]
    worker = f"-m celery -A {MODULE} worker {options} {more} --queues {QUEUE} --hostname {{number}}@%h"
    return Contender(
        courier=courier,
        pool=shape,
        worker=(sys.executable, *worker.split()),
        workers=workers,
        publisher=(sys.executable, "-m", MODULE),
        url=broker.url if courier == STOCK else broker.url.replace("redis://", "redis+lease://"),
        depth=lambda: broker.length(QUEUE),
        queue=QUEUE,
        environment={"BENCH_PREFETCH": str(prefetch)},
    )


def ideal_contenders(broker: Broker, pools: list[str], directory: Path, *, more: str) -> list[Contender]:
    """One worker of each pool that has all its messages already: what is left to a job if a broker costs nothing.

    And the same for a broker that costs nothing but to be told that a job starts.
    """
    return [
        _ideal(courier, pool, directory / f"{courier}-{pool}", {TOLD: told}, more)
        for pool in pools
        if pool in IDEAL_POOLS
        for courier, told in ((IDEAL, ""), (TELLING, f"{HOST}:{broker.valkey.port}"))
    ]


def _ideal(courier: str, pool: str, file: Path, told: dict[str, str], more: str) -> Contender:
    file.write_bytes(bytes(WORD))
    options, _, shape = POOLS[pool]
    worker = f"-m celery -A {IDEAL_MODULE} worker {options} {more} --queues {QUEUE}"
    return Contender(
        courier=courier,
        pool=shape.removeprefix(f"{CORES} × "),
        worker=(sys.executable, *worker.split()),
        publisher=(sys.executable, "-m", IDEAL_MODULE),
        url="ideal://",
        depth=lambda: int.from_bytes(file.read_bytes(), sys.byteorder),
        on_valkey=False,
        environment={WAITING: str(file), **told},
    )
