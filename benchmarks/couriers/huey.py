"""Huey 3 on Redis."""

from __future__ import annotations

import os

from huey import RedisHuey

from benchmarks.couriers.publishing import QUEUE, URL, publish, stamped

app = RedisHuey(QUEUE, url=os.environ.get(URL, "redis://"), results=False)


@app.task()
def nothing(number: int) -> None:
    """Do nothing."""


@app.task()
def stamp(sent_at: float) -> None:
    """Note how late it is."""
    stamped(sent_at)


def many(jobs: int) -> None:
    """It has nothing for many."""
    for number in range(jobs):
        nothing(number)


if __name__ == "__main__":
    from benchmarks.couriers import huey as named  # noqa: PLW0406 # its jobs are told by module, not by __main__

    publish(named.nothing, named.many, named.stamp)
