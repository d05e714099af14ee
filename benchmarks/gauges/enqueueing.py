"""What publishing costs, one by one and in bulk, and what a waiting message takes on the server."""

from __future__ import annotations

import math

from benchmarks.broker import UNKNOWN, Broker
from benchmarks.contender import Contender


def one_by_one(contender: Contender, broker: Broker, *, jobs: int) -> dict[str, float]:
    """One call a job, from one process."""
    return _publish(contender, broker, "one_by_one", jobs)


def bulk(contender: Contender, broker: Broker, *, jobs: int) -> dict[str, float]:
    """As many as are wanted, in the quickest way that the library offers."""
    return _publish(contender, broker, "bulk", jobs)


def _publish(contender: Contender, broker: Broker, kind: str, jobs: int) -> dict[str, float]:
    broker.empty()
    broker.forget()
    before = broker.memory()
    cost = contender.publish(kind, jobs)
    server = broker.cost() if contender.on_valkey else UNKNOWN
    return {
        "per_second": jobs / cost["wall"],
        "cpu_per_1000": cost["cpu"] / jobs * 1000,
        "server_cpu_per_1000": server.cpu / jobs * 1000,
        "round_trips_per_job": server.reads / jobs,
        "server_bytes_per_job": (broker.memory() - before) / jobs if contender.on_valkey else math.nan,
    }
