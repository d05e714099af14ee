"""Procrastinate 3: PostgreSQL is its queue."""

from __future__ import annotations

import os

from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

from benchmarks.couriers.publishing import QUEUE, URL, publish, stamped

app = App(connector=PsycopgConnector(conninfo=os.environ.get(URL, "")))


@app.task(queue=QUEUE, name="nothing")
async def nothing(number: int) -> None:
    """Do nothing."""


@app.task(queue=QUEUE, name="stamp")
async def stamp(sent_at: float) -> None:
    """Note how late it is."""
    stamped(sent_at)


def many(jobs: int) -> None:
    """In batches of 1,000."""
    for first in range(0, jobs, 1000):
        nothing.batch_defer(*({"number": number} for number in range(first, min(first + 1000, jobs))))


if __name__ == "__main__":
    with app.replace_connector(SyncPsycopgConnector(conninfo=os.environ[URL])), app.open():
        publish(lambda number: nothing.defer(number=number), many, lambda sent_at: stamp.defer(sent_at=sent_at))
