"""Jobs that tell what happens to them, and wait to be told what to do. They run in the workers."""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from typing import Any

import redis
import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from celery import current_app, current_task

from config.queues import QUEUES
from tasks import Permanent, RetryPolicy, Transient, task
from tasks.testing.waiting import eventually

NOTES = "smoke-notes"
SECONDS = timedelta(seconds=1)
PATIENCE = 60 * SECONDS

log = structlog.get_logger(__name__)


class Away(Transient):
    """The provider can't be reached."""


class Refused(Permanent):
    """The provider said no."""


def note(what: str, mark: str, **facts: Any) -> None:
    """Tell the test, through the broker's server but in no queue, that *what* happened to the job marked *mark*."""
    request = current_task.request
    facts |= {
        "what": what,
        "mark": mark,
        "pid": os.getpid(),
        "worker": request.hostname,
        "queue": (request.delivery_info or {}).get("routing_key"),
        "attempt": request.retries + 1,
        "task_id": request.id,
        "at": time.time(),
    }
    eventually(lambda: answered("RPUSH", NOTES, json.dumps(facts)), within=PATIENCE)


def await_release(mark: str) -> None:
    """Wait until the test lets go on whoever is held under *mark*."""
    eventually(lambda: answered("LPOP", f"smoke-release-{mark}"), within=PATIENCE)


def answered(*command: str) -> object:
    """What the broker's server answers, or None while it is away."""
    with redis.Redis.from_url(current_app.conf.broker_url) as client:
        try:
            return client.execute_command(*command)
        except redis.ConnectionError:
            return None


@task("smoke.note_ran", time_limit=60 * SECONDS)
def note_ran(mark: str) -> None:
    """Ran."""
    note("ran", mark)


for queue in QUEUES:
    task(f"smoke.note_{queue}", time_limit=60 * SECONDS)(note_ran.run)


@task("smoke.double", time_limit=60 * SECONDS, ignore_result=False)
def double(number: int) -> int:
    """Answers, for those who ask."""
    return 2 * number


@task("smoke.hold", time_limit=120 * SECONDS)
def hold(mark: str) -> None:
    """Starts, waits to be released, finishes."""
    note("started", mark)
    await_release(mark)
    note("finished", mark)


@task("smoke.try_again", time_limit=60 * SECONDS, retry=RetryPolicy.after(SECONDS, 3 * SECONDS))
def try_again(mark: str, failures: int) -> None:
    """Fails transiently so often, then runs."""
    note("tried", mark)
    if current_task.request.retries < failures:
        raise Away(mark)
    note("ran", mark)


@task("smoke.give_up", time_limit=60 * SECONDS)
def give_up(mark: str) -> None:
    """Fails for good."""
    note("tried", mark)
    raise Refused(mark)


@task("smoke.stop_when_asked", time_limit=60 * SECONDS, soft_time_limit=2 * SECONDS)
def stop_when_asked(mark: str) -> None:
    """Overruns its soft limit, and stops."""
    note("started", mark)
    try:
        await_release(mark)
    except SoftTimeLimitExceeded:
        note("asked to stop", mark)


@task("smoke.never_stop", time_limit=4 * SECONDS, soft_time_limit=2 * SECONDS)
def never_stop(mark: str) -> None:
    """Overruns its soft limit, and goes on."""
    note("started", mark)
    while True:
        try:
            await_release(mark)
        except SoftTimeLimitExceeded:
            note("asked to stop", mark)


@task("smoke.log", time_limit=60 * SECONDS)
def log_line(mark: str, card_number: str) -> None:
    """Writes a line of its own; the card's number is in the arguments alone."""
    log.info("smoke_said", mark=mark, digits=len(card_number))
    note("ran", mark)
