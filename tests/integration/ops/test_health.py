"""Health: what a probe is told while all is well, and while something is away."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from config.queues import QUEUES
from project.env import PROJECT_ROOT
from project.local.child import Child
from project.local.ports import HOST, FreePorts
from tasks import publish
from tasks.enqueue.models import OutboxMessage
from tasks.operation.health import BrokerAway, broker_ping, queue_depths
from tasks.testing.waiting import eventually

pytestmark = pytest.mark.usefixtures("transactional_db", "clean_broker")


@pytest.fixture
def broker_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app speaks to a port where nobody listens."""
    monkeypatch.setattr(current_app.conf, "broker_read_url", f"redis://{HOST}:{FreePorts().pick('nobody')}/0")


@pytest.fixture
def worker(process_environment: dict[str, str], tmp_path: Path) -> Iterator[Child]:
    """A worker that drinks from every queue but `media`."""
    queues = ",".join(name for name in QUEUES if name != "media")
    child = Child(
        name="worker",
        command=[sys.executable, "-m", "celery", "-A", "project", "worker", "--queues", queues, "--concurrency", "1"],
        environment=process_environment,
        directory=PROJECT_ROOT,
        log=tmp_path / "worker.log",
    )
    child.start()
    yield child
    child.kill()


def test_the_probes_answer_without_a_login(client: Client) -> None:
    """A probe can't log in."""
    assert client.get("/health/live").json() == {"ok": True}
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.json()["ok"]) == (200, True)
    assert set(ready.json()["checks"]) >= {"database", "migrations", "broker"}


def test_live_does_not_ask_anybody_else(client: Client, broker_away: None) -> None:
    """Otherwise every web process is restarted when the broker is away."""
    assert client.get("/health/live").status_code == 200


def test_ready_tells_that_the_broker_is_away_without_its_address(client: Client, broker_away: None) -> None:
    """The address may hold a password."""
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert "the broker doesn't answer" in answer.json()["checks"]["broker"]
    assert HOST not in answer.content.decode()


def test_ready_tells_that_a_migration_is_missing(client: Client) -> None:
    """Code that is ahead of its database must get no requests."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'orders' RETURNING app, name, applied")
        rows = cursor.fetchall()
        try:
            answer = client.get("/health/ready")
        finally:
            cursor.executemany("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", rows)
    assert answer.status_code == 503
    assert "manage.py migrate" in answer.json()["checks"]["migrations"]


def test_ready_tells_that_the_outbox_is_not_sent(client: Client) -> None:
    """Nothing is lost, but nothing is carried out either."""
    task_id = publish("orders.reserve_stock", order_id=1)
    assert client.get("/health/ready").json()["checks"]["outbox"] == "ok"
    OutboxMessage.objects.filter(task_id=task_id).update(due_at=timezone.now() - timedelta(minutes=2))
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert "is the broker there, and a relay running?" in answer.json()["checks"]["outbox"]


def test_workers_names_the_queue_that_nobody_consumes(client: Client, worker: Child) -> None:
    """The others have a consumer; the depth counts every priority."""

    def only_media_is_missing() -> Any:
        answer = client.get("/health/workers")
        return answer if answer.json()["problems"] == ["no worker consumes the queue 'media'"] else None

    # One answer for all that is asked of it: a worker that is busy for a second is missing in the next.
    answer = eventually(only_media_is_missing, within=timedelta(seconds=60), because=worker.log_tail)
    assert answer.status_code == 503
    assert answer.json()["queues"]["critical"] == {"depth": 0, "consumers": 1}


def test_depths_count_all_priorities_of_a_queue() -> None:
    """`LLEN queue` alone would see one step of four."""
    for priority in (0, 3, 6, 9):
        current_app.send_task("orders.reserve_stock", args=[1], queue="default", priority=priority)
    assert queue_depths(current_app, QUEUES) == {name: 4 if name == "default" else 0 for name in QUEUES}


def test_workers_tells_of_no_consumers_where_nobody_can_be_asked(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQS brings no question to a worker; that is no problem of the workers'."""
    monkeypatch.setattr("apps.ops.selectors.health.queue_consumers", lambda _app: None)

    answer = client.get("/health/workers")
    assert (answer.status_code, answer.json()["queues"]["critical"]) == (200, {"depth": 0, "consumers": None})
    client.force_login(User.objects.create_user("staff", is_staff=True))
    assert "this broker can’t tell" in client.get("/ops/").content.decode()


def test_workers_answers_while_the_broker_is_away(client: Client, broker_away: None) -> None:
    answer = client.get("/health/workers")
    assert answer.status_code == 503
    assert "the broker doesn't answer" in answer.json()["problems"][0]


def test_a_ping_gives_up_in_bounded_time(broker_away: None) -> None:
    """A probe has a deadline of its own, usually of a few seconds."""
    began = time.monotonic()
    with pytest.raises(BrokerAway):
        broker_ping(current_app)
    assert time.monotonic() - began < 10


def test_the_operations_page_is_for_staff(client: Client) -> None:
    assert client.get("/ops/").status_code == 302
    client.force_login(User.objects.create_user("customer"))
    assert client.get("/ops/").status_code == 302
    client.force_login(User.objects.create_user("staff", is_staff=True))
    page = client.get("/ops/").content.decode()
    assert all(name in page for name in QUEUES)
