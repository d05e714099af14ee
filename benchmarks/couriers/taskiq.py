"""Taskiq on a Redis stream, the broker of its that acknowledges."""

from __future__ import annotations

import asyncio
import os

from taskiq_redis import RedisStreamBroker

from benchmarks.couriers.publishing import QUEUE, URL, publish, stamped

broker = RedisStreamBroker(url=os.environ.get(URL, "redis://"), queue_name=QUEUE)


@broker.task(task_name="nothing")
async def nothing(number: int) -> None:
    """Do nothing."""


@broker.task(task_name="stamp")
async def stamp(sent_at: float) -> None:
    """Note how late it is."""
    stamped(sent_at)


async def _many(jobs: int) -> None:
    for first in range(0, jobs, 100):
        await asyncio.gather(*(nothing.kiq(number) for number in range(first, min(first + 100, jobs))))


if __name__ == "__main__":
    run = asyncio.new_event_loop().run_until_complete
    run(broker.startup())
    publish(
        lambda number: run(nothing.kiq(number)), lambda jobs: run(_many(jobs)), lambda sent_at: run(stamp.kiq(sent_at))
    )
    run(broker.shutdown())
