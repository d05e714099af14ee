"""The same jobs as toolkit tasks of a Django project, their effect a row that commits with the ledger's."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from threading import Event
from typing import Any

from celery.signals import worker_ready

from project.celery import app
from tasks import task
from tests.chaos.journal import note
from tests.chaos.ledger_effects import KEYS, effect_add
from tests.chaos.names import RUN_JOB, SETTINGS

app.conf.update(json.loads(os.environ.get(SETTINGS, "{}")))


@worker_ready.connect
def say_ready(**_: Any) -> None:
    """The worker consumes from now on."""
    note("ready")


@task(RUN_JOB, time_limit=timedelta(minutes=5), effect="database", once=KEYS + "{job}")
def run_job(job: int, seconds: float = 0) -> None:
    """Take *seconds*."""
    note("start", job)
    effect_add(job)
    Event().wait(seconds)
    note("end", job)
