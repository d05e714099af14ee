"""A worker that knows the dying tasks, and a relay, shared by a module's tests: none of them may harm it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
import redis

from config.queues import QUEUES
from project.celery import app
from project.env import PROJECT_ROOT
from project.local.child import Child
from project.local.waiting import wait_until
from tasks.enqueue.models import OutboxMessage
from tasks.failure.letter_models import DeadLetter, JobAttempt
from tasks.operation.health import messages_held
from tests.servers.embedded import plain
from tests.servers.relay import relay_child

WITHIN = timedelta(seconds=45)


class Stage:
    """The worker, the relay beside it, and what came of jobs."""

    def __init__(self, directory: Path, environment: dict[str, str], *options: str) -> None:
        self.directory = directory
        self.worker = Child(
            name="worker",
            command=[
                sys.executable, "-m", "celery", "-A", "project", "worker", "--queues", ",".join(QUEUES),
                "--concurrency", "2", "--include", "tests.e2e.letters.dying", "--without-gossip", "--without-mingle",
                *options,
            ],
            environment=environment,
            directory=PROJECT_ROOT,
            log=directory / "worker.log",
        )  # fmt: skip
        self.relay = relay_child(environment, directory)

    def diary(self, name: str) -> str:
        """An empty diary's path."""
        return str(self.directory / name)

    def letter(self, task_id: str) -> DeadLetter:
        """Wait for the job's letter."""
        self.until(lambda: DeadLetter.objects.filter(task_id=task_id).exists(), task_id)
        return DeadLetter.objects.get(task_id=task_id)

    def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Wait until *condition* holds."""
        assert wait_until(condition, within=WITHIN), (what, self.worker.log_tail(40), self.relay.log_tail(10))

    def attempts(self, task_id: str) -> list[tuple[str, str]]:
        """(outcome, type of error) of each attempt that did not succeed, in order."""
        found = JobAttempt.objects.filter(task_id=task_id).order_by("id")
        return list(found.values_list("outcome", "error_type"))

    def row(self, task_id: str) -> OutboxMessage:
        """The job's row in the outbox."""
        return OutboxMessage.objects.get(task_id=task_id)

    def nothing_held(self) -> bool:
        """Whether every message has been acknowledged."""
        return not any(messages_held(app, QUEUES).values())

    @property
    def main_process(self) -> psutil.Process:
        """The worker's own."""
        return psutil.Process(self.worker.pid)


def broker_empty() -> None:
    """Take every message off this process's own broker."""
    with redis.Redis.from_url(plain(os.environ["BROKER_URL"])) as client:
        client.flushdb()


@pytest.fixture(scope="module")
def environment(django_db_setup: None) -> dict[str, str]:
    """The variables for processes that work on this run's database and broker, the broker empty."""
    from django.db import connection

    server = os.environ["DATABASE_URL"].rpartition("/")[0]
    broker_empty()
    return {
        **os.environ,
        "DATABASE_URL": f"{server}/{connection.settings_dict['NAME']}",
        "DJANGO_SETTINGS_MODULE": "project.settings.test",
        "LEASE_TIME_SCALE": "0.05",  # of a claim whose holder has died
    }


@pytest.fixture(scope="module")
def stage(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The module's worker and relay, running."""
    stage = Stage(tmp_path_factory.mktemp("letters"), environment)
    stage.worker.start()
    stage.relay.start()
    try:
        yield stage
    finally:
        stage.worker.kill()
        stage.relay.kill()
