"""What a worker tells its monitors: all of it, in order, several events to a message, to the last when it stops."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest

from tasks.delivery.event_batches import MOST, WITHIN
from tasks.testing.waiting import eventually
from tests.integration.delivery.floor import Floor
from tests.integration.delivery.publishing import app_for

POOLS = pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
MINUTE = timedelta(minutes=1)
STEPS = ["task-received", "task-started", "task-succeeded"]
JOBS = 60


class Monitor:
    """Listens as Flower does, and counts what comes."""

    def __init__(self, floor: Floor) -> None:
        self._heard: Any = floor.client.pubsub()  # type: ignore[no-untyped-call]
        database = floor.client.connection_pool.connection_kwargs["db"]
        # In full: what is published can be heard in every database, and other tests' workers have theirs beside ours.
        self._heard.subscribe(f"/{database}.celeryev/task.multi")
        self._heard.get_message(timeout=10)  # the answer: from here on nothing is missed
        self.messages = 0
        self.times: list[float] = []
        self.steps: dict[str, list[str]] = defaultdict(list)

    def listen(self) -> dict[str, list[str]]:
        """For each job the steps heard of so far."""
        while (message := self._heard.get_message(timeout=0.05)) is not None:
            self.messages += 1
            body: list[dict[str, Any]] = json.loads(base64.b64decode(json.loads(message["data"])["body"]))
            for event in body:
                self.steps[event["uuid"]].append(event["type"])
                self.times.append(event["timestamp"])
        return self.steps


@POOLS
def test_every_step_of_every_job_is_told_in_order_and_several_at_a_time(floor: Floor, pool: str) -> None:
    """One message a step would cost a busy worker a quarter of its time."""
    monitor = Monitor(floor)
    for number in range(JOBS):
        floor.send("jobs.note", number)
    floor.worker("--pool", pool, "--prefetch-multiplier", "4", "-E")
    eventually(
        lambda: sum(steps == STEPS for steps in monitor.listen().values()) == JOBS,
        within=MINUTE,
        because=lambda: str(dict(monitor.steps)),
    )
    seconds = max(monitor.times) - min(monitor.times)  # on a busy machine it takes some, and some messages more
    assert monitor.messages <= seconds / WITHIN + len(STEPS) * JOBS / MOST + 2


@POOLS
def test_a_job_that_comes_alone_is_told_of_while_it_runs(floor: Floor, pool: str) -> None:
    """But with solo, where nobody has the time to."""
    monitor = Monitor(floor)
    floor.worker("--pool", pool, "-E")
    floor.send("jobs.note", "long", 2 if pool == "solo" else 60, task_id="long")
    told = STEPS if pool == "solo" else STEPS[:2]
    eventually(lambda: monitor.listen()["long"] == told, within=MINUTE / 2, because=lambda: str(monitor.steps))


@POOLS
def test_a_worker_that_stops_tells_how_its_last_job_ended(floor: Floor, pool: str) -> None:
    """Or Flower would show it as running for ever."""
    monitor = Monitor(floor)
    worker = floor.worker("--pool", pool, "-E")
    floor.send("jobs.note", "last", 1, task_id="last")
    eventually(lambda: floor.diary["began last"], within=MINUTE)
    worker.kill("SIGTERM")
    eventually(lambda: monitor.listen()["last"] == STEPS, within=MINUTE, because=worker.recent_logs)


@POOLS
def test_a_worker_that_is_asked_to_tell_while_it_works_tells_from_then_on(floor: Floor, pool: str) -> None:
    """Flower does that when it starts."""
    monitor = Monitor(floor)
    floor.worker("--pool", pool)
    floor.send("jobs.note", "before", task_id="before")
    floor.ended("before", within=MINUTE)
    eventually(lambda: app_for(floor.url).control.enable_events(reply=True, timeout=1), within=MINUTE)
    floor.send("jobs.note", "after", task_id="after")
    eventually(lambda: monitor.listen()["after"] == STEPS, within=MINUTE, because=lambda: str(monitor.steps))
    assert not monitor.steps["before"]


def test_a_worker_that_tells_nobody_anything_works(floor: Floor) -> None:
    """Without events, gossip and heartbeat Celery makes no dispatcher at all."""
    floor.worker("--without-heartbeat")
    floor.send("jobs.note", "untold")
    floor.ended("untold", within=MINUTE)
