"""RQ 3: one worker process a core that runs jobs itself; its default forks for every job, which is slower still."""

from __future__ import annotations

import os

from redis import Redis
from rq import Queue

from benchmarks.couriers.publishing import QUEUE, URL, publish, stamped

queue = Queue(QUEUE, connection=Redis.from_url(os.environ.get(URL, "redis://")))


def nothing(number: int) -> None:
    """Do nothing."""


def stamp(sent_at: float) -> None:
    """Note how late it is."""
    stamped(sent_at)


def many(jobs: int) -> None:
    """In batches of 1,000."""
    for first in range(0, jobs, 1000):
        numbers = range(first, min(first + 1000, jobs))
        queue.enqueue_many([Queue.prepare_data("benchmarks.couriers.rq.nothing", (n,), result_ttl=0) for n in numbers])


if __name__ == "__main__":
    publish(
        lambda number: queue.enqueue("benchmarks.couriers.rq.nothing", number, result_ttl=0),
        many,
        lambda sent_at: queue.enqueue("benchmarks.couriers.rq.stamp", sent_at, result_ttl=0),
    )
