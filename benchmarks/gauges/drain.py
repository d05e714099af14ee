"""A full queue is worked off: jobs a second, CPU seconds a thousand jobs, commands and round trips a job, memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.broker import UNKNOWN, Broker
from benchmarks.contender import Contender, Fleet

AT_MOST = 90.0
"""Seconds after which a drain is given up."""


def drain(contender: Contender, broker: Broker, directory: Path, *, jobs: int) -> dict[str, float]:
    """*jobs* wait; what it costs from when a tenth is done until a tenth is left."""
    template = sample(contender, broker)
    with contender.working(directory) as fleet:
        with fleet.frozen():
            fill(contender, broker, jobs, template)
        return _between(contender, broker, fleet, most=jobs * 0.9, least=jobs * 0.1) | {
            "memory_mb": fleet.memory() / 1e6
        }


def sample(contender: Contender, broker: Broker) -> bytes:
    """A message to copy, taken before any worker is there to take it; empty if it can't be copied."""
    broker.empty()
    if not contender.queue:
        return b""
    contender.publish("one_by_one", 1)
    template = broker.newest(contender.queue)
    broker.empty()
    return template


def fill(contender: Contender, broker: Broker, jobs: int, template: bytes) -> None:
    """So many jobs wait: copies of *template* if there is one, else by the contender's own bulk publishing."""
    if template:
        broker.fill(contender.queue, jobs, template)
    else:
        contender.publish("bulk", jobs)


def _between(contender: Contender, broker: Broker, fleet: Fleet, *, most: float, least: float) -> dict[str, float]:
    _until(contender.depth, most)
    first, cpu, began = contender.depth(), fleet.cpu(), time.perf_counter()
    broker.forget()
    last = _until(contender.depth, least)
    seconds, cpu, server = (
        time.perf_counter() - began,
        fleet.cpu() - cpu,
        broker.cost() if contender.on_valkey else UNKNOWN,
    )
    done = first - last
    return {
        "per_second": done / seconds,
        "cpu_per_1000": cpu / done * 1000,
        "server_cpu_per_1000": server.cpu / done * 1000,
        "commands_per_job": server.commands / done,
        "round_trips_per_job": server.reads / done,
    }


def _until(depth: Callable[[], int], most: float) -> int:
    began = time.monotonic()
    while (left := depth()) > most:
        if time.monotonic() - began > AT_MOST:
            raise RuntimeError(f"{left} jobs still wait after {AT_MOST:.0f} seconds")
        time.sleep(0.02)
    return left
