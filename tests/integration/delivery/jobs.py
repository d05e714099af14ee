"""A Celery app of its own on the leased transport, without Django: what the tests' workers run."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from threading import Event
from typing import Any

from celery import Celery

import tasks.delivery  # noqa: F401 # registers the schemes

BROKER_URL = os.environ["LEASE_TEST_BROKER"]
app = Celery("lease-test", broker=BROKER_URL)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_default_queue="jobs",
    task_create_missing_queues=True,
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "lease": float(os.environ.get("LEASE_TEST_SECONDS", "3")),
        "server_checks": os.environ.get("LEASE_TEST_CHECKS", "refuse"),
    },
)


def _write(line: str) -> None:
    with Path(os.environ["LEASE_TEST_DIARY"]).open("a") as diary:
        diary.write(f"{line}\n")


@app.task(name="jobs.note", bind=True)
def note(self: Any, name: str, seconds: float = 0.0) -> None:
    """Write that it began and that it ended."""
    _write(f"began {name}")
    Event().wait(seconds)  # the work
    _write(f"ended {name}")


@app.task(name="jobs.compute")
def compute(name: str, seconds: float) -> None:
    """The same, and the work leaves nobody else a turn."""
    _write(f"began {name}")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    _write(f"ended {name}")


@app.task(name="jobs.note_early", bind=True, acks_late=False)
def note_early(self: Any, name: str, seconds: float = 0.0) -> None:
    """The same, acknowledged when it begins."""
    note.run(name, seconds)


@app.task(name="jobs.note_seldom", rate_limit="1/h")
def note_seldom(name: str) -> None:
    """The same, once an hour."""
    note.run(name)


@app.task(name="jobs.note_types")
def note_types(*args: Any) -> None:
    """Write what it was called with."""
    _write(f"ended {' '.join(type(one).__name__ for one in args)}")


@app.task(name="jobs.weigh")
def weigh(name: str, text: str, failing: bool) -> None:
    """Write how long *text* is, and fail with it."""
    _write(f"ended {name} {len(text)}")
    if failing:
        raise ValueError(text)


@app.task(name="jobs.kill", bind=True)
def kill(self: Any, whom: str) -> None:
    """End the process that runs it, or its parent, without a word."""
    _write(f"began {whom} {(self.request.properties.get('x-counts') or {}).get('died', 0)}")
    if whom == "exit":
        os._exit(3)
    os.kill({"child": os.getpid(), "parent": os.getppid()}[whom], signal.SIGKILL)
    Event().wait(60)  # until it has happened


@app.task(name="jobs.exhaust")
def exhaust() -> None:
    """There is no memory for it."""
    _write("began exhaust")
    raise MemoryError
