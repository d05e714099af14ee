"""The Celery app of the suite's workers, and of the test that publishes to them, with the project's settings.

Its jobs tell what happens to them through a Redis that is not the broker under test. They are plain Celery tasks: what
the toolkit adds to them (outbox, ledger) would hide what a broker loses or doubles.
"""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final

import redis
from celery import Celery, current_task

from tasks.enqueue.bounded import BoundedCelery
from tasks.testing.waiting import eventually
from tests.conformance.broker.subjects import Subject

PLACE: Final = "CONFORMANCE_PLACE"
NOTES: Final = "notes"
PATIENCE: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a worker works: the broker, the queue's name, where notes are written, and the result backend."""

    subject: Subject
    queue: str
    notes_url: str
    backend: str

    def dumped(self) -> str:
        """As text, for an environment variable."""
        return json.dumps(asdict(self))

    @classmethod
    def loaded(cls, text: str) -> Place:
        """Out of what `dumped` made."""
        facts = json.loads(text)
        return cls(**{**facts, "subject": Subject(**facts["subject"])})


def new_app(place: Place) -> Celery:
    """An app with the project's settings, on the broker of *place*, with its one queue."""
    app = BoundedCelery("conformance", set_as_current=False)
    app.config_from_object("project.settings.test", namespace="CELERY")
    queue = place.subject.queue(place.queue)
    app.conf.update(
        broker_url=place.subject.url,
        broker_transport_options=place.subject.transport_options(),
        task_queues=[queue],
        task_default_queue=queue.name,
        task_default_exchange=queue.exchange.name,
        task_default_exchange_type=queue.exchange.type,
        task_default_routing_key=queue.routing_key,
        task_routes=None,
        task_ignore_result=False,
        result_backend=place.backend,
        control_queue_durable=place.subject.url.startswith("amqp"),
        worker_consumer="celery.worker.consumer:Consumer",
        worker_soft_shutdown_timeout=1,
        worker_hijack_root_logger=True,
    )
    for job in (say, hold, end_the_child, double, total):
        app.task(name=f"conformance.{job.__name__}")(job)
    return app


def note(what: str, mark: str, **facts: Any) -> None:
    """Tell the test that *what* happened to the job marked *mark*."""
    facts |= {"what": what, "mark": mark, "pid": os.getpid(), "parent": os.getppid(), "at": time.time()}
    with _notes() as client:
        client.rpush(NOTES, json.dumps(facts))


def say(mark: str) -> None:
    """Runs."""
    note("ran", mark)


def hold(mark: str) -> None:
    """Starts, waits to be released, finishes."""
    note("started", mark)
    with _notes() as client:
        eventually(lambda: client.get(f"release-{mark}"), within=PATIENCE)
    note("finished", mark)


def end_the_child(mark: str) -> None:
    """Kills the process that it runs in."""
    note("started", mark)
    os.kill(os.getpid(), signal.SIGKILL)


def double(number: int) -> int:
    """Twice as much."""
    return 2 * number


def total(numbers: list[int], mark: str) -> int:
    """The sum; it tells that it was asked."""
    note("ran", mark, numbers=numbers)
    return sum(numbers)


def _notes() -> redis.Redis:
    url: str = current_task.app.conf.notes_url
    return redis.Redis.from_url(url)


def app_of_this_process() -> Celery:
    """A worker's: its place is in the environment."""
    place = Place.loaded(os.environ[PLACE])
    made = new_app(place)
    made.conf.notes_url = place.notes_url
    made.set_current()
    return made
