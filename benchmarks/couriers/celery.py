"""A Celery app without Django, stock or on the leased transport, as BENCH_URL says. All else is the same."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from kombu import Producer
from kombu.utils.uuid import uuid

from benchmarks.couriers.publishing import QUEUE, URL, publish, stamped

BATCH = 2000
"""Messages that are sent at once, as by the relay."""

url = os.environ.get(URL, "redis://")
if "+lease" in url:
    import tasks.delivery  # noqa: F401 # registers the scheme

app = Celery("bench", broker=url)
app.conf.update(
    task_default_queue=QUEUE,
    task_acks_late=True,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=int(os.environ.get("BENCH_PREFETCH", "4")),
)


@app.task(name="bench.nothing")
def nothing(number: int) -> None:
    """Do nothing."""


@app.task(name="bench.stamp")
def stamp(sent_at: float) -> None:
    """Note how late it is."""
    stamped(sent_at)


def many(jobs: int) -> None:
    """Stock Celery has nothing for it but `.delay()` again and again; ours sends kombu's batches, as the relay does."""
    if "+lease" not in url:
        for number in range(jobs):
            nothing.delay(number)
        return
    with app.connection_for_write() as connection:
        producer: Any = Producer(connection.default_channel, serializer="json", auto_declare=False)
        with producer.batch(max_size=BATCH):
            for number in range(jobs):
                headers, properties, body, _ = app.amqp.create_task_message(uuid(), nothing.name, (number,), {})
                producer.publish(body, exchange="", routing_key=QUEUE, headers=headers, **properties)


if __name__ == "__main__":
    publish(nothing.delay, many, stamp.delay)
