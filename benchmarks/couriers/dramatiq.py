"""Dramatiq 2 on Redis, with its default middleware."""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.couriers.publishing import QUEUE, URL, publish, stamped

dramatiq.set_broker(RedisBroker(url=os.environ.get(URL, "redis://")))


@dramatiq.actor(queue_name=QUEUE)
def nothing(number: int) -> None:
    """Do nothing."""


@dramatiq.actor(queue_name=QUEUE)
def stamp(sent_at: float) -> None:
    """Note how late it is."""
    stamped(sent_at)


def many(jobs: int) -> None:
    """It has nothing for many on Redis."""
    for number in range(jobs):
        nothing.send(number)


if __name__ == "__main__":
    publish(nothing.send, many, stamp.send)
