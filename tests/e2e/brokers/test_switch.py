"""BROKER_URL alone switches: relay and worker as the Procfile has them, on RabbitMQ and on SQS."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from celery import chain

from config.queues import QUEUES
from project.env import PROJECT_ROOT
from project.local.child import Child
from project.local.waiting import wait_until
from tasks import JobStatus, status
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.outbox import enqueue
from tests.e2e.effects import sample_effects, sample_tasks
from tests.servers.brokers import BrokerServers

WITHIN: Final = timedelta(seconds=60)
SAMPLES: Final = "tests.e2e.effects.sample_tasks,tests.e2e.effects.sample_effects"

Start = Callable[[str], Child]


@pytest.fixture(params=["rabbitmq", "sqs"])
def start(
    request: pytest.FixtureRequest,
    broker_servers: BrokerServers,
    process_environment: dict[str, str],
    tmp_path: Path,
) -> Iterator[Start]:
    """Starts a relay or a worker with another BROKER_URL than the test's own, and nothing else changed."""
    url = broker_servers.get("rabbitmq").url if request.param == "rabbitmq" else broker_servers.sqs_url
    # SQS hands a killed worker's messages out again after it; no other setting is of another broker.
    surroundings = {**process_environment, "BROKER_URL": url, "VISIBILITY_TIMEOUT": "3", "LEASE_TIME_SCALE": "0.01"}
    commands = {
        "relay": ["manage.py", "relay", "--sweep", "0.3"],
        "worker": ["-m", "celery", "-A", "project", "worker", "--queues", ",".join(QUEUES), "--concurrency", "2",
                   "--include", SAMPLES, "--without-gossip", "--without-mingle"],
    }  # fmt: skip
    with ExitStack() as ends:

        def one(name: str) -> Child:
            child = Child(
                name=name,
                command=[sys.executable, *commands[name]],
                environment=surroundings,
                directory=PROJECT_ROOT,
                log=tmp_path / f"{name}.log",
            )
            ends.callback(child.kill)
            child.start()
            return child

        yield one


def test_a_chain_a_retry_and_a_countdown_go_their_way(start: Start, tmp_path: Path) -> None:
    """What waits for its time waits in the outbox, under the name of its queue."""
    start("relay")
    worker = start("worker")
    diary = str(tmp_path / "diary")
    last = enqueue(
        chain(
            sample_tasks.write_note_once.si(diary, "one"),
            sample_tasks.call_outside.si(diary, "two"),
            sample_tasks.write_note.si(diary, "three"),
        )
    )
    retried = sample_tasks.fail_at_first.enqueue(diary, 2)
    later = sample_tasks.write_note.enqueue(diary, "later", countdown=1)

    for task_id in (last, retried, later):
        ended(task_id, worker)
    assert noted(diary) == sorted(["one", "two", "three", "attempt 0", "attempt 1", "attempt 2", "later"])
    assert set(OutboxMessage.objects.values_list("routing_key", flat=True)) == {"default"}
    assert not OutboxMessage.objects.filter(exchange__startswith="celery_delayed").exists()


def test_a_killed_workers_job_is_carried_out_by_the_next_one_and_its_effect_happens_once(
    start: Start, tmp_path: Path
) -> None:
    """RabbitMQ sees the connection go; SQS waits for the visibility timeout."""
    start("relay")
    worker = start("worker")
    diary = str(tmp_path / "diary")
    task_id = sample_effects.act_and_vanish.enqueue(diary, "acted")
    assert wait_until(lambda: noted(diary) == ["acted"], within=WITHIN), worker.log_tail(40)

    worker.kill()
    ended(task_id, start("worker"))
    assert noted(diary) == ["acted"]


def ended(task_id: str, worker: Child) -> None:
    """Wait until the job has succeeded."""
    succeeded = wait_until(lambda: status(task_id) is JobStatus.SUCCEEDED, within=WITHIN)
    assert succeeded, (status(task_id), worker.log_tail(60))


def noted(diary: str) -> list[str]:
    """The lines of the diary, sorted."""
    file = Path(diary)
    return sorted(file.read_text().splitlines()) if file.exists() else []
