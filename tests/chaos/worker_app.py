"""The Celery app that chaos is let loose on: no Django, nothing of ours but the transport, every run written down."""

from __future__ import annotations

import json
import os
import signal
from threading import Event
from typing import Any

from celery import Celery
from celery.signals import worker_ready

import tasks.delivery  # noqa: F401 -- makes its URL schemes known
from tests.chaos.journal import note
from tests.chaos.names import DIE, RUN_JOB, SETTINGS

app = Celery("chaos")
app.conf.update(json.loads(os.environ.get(SETTINGS, "{}")))


@worker_ready.connect
def say_ready(**_: Any) -> None:
    """The worker consumes from now on."""
    note("ready")


@app.task(name=RUN_JOB)
def run_job(job: int, seconds: float = 0) -> None:
    """Take *seconds*."""
    note("start", job)
    Event().wait(seconds)
    note("end", job)


@app.task(name=DIE)
def die(job: int, how: str) -> None:
    """A poison message. how: "exit" and "child" end its process, by os._exit and SIGKILL; "worker" its whole group."""
    note("start", job)
    if how == "exit":
        os._exit(1)
    if how == "child":
        os.kill(os.getpid(), signal.SIGKILL)
    os.killpg(0, signal.SIGKILL)
