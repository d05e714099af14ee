"""pytest-celery's own setup, on our nodes: what its documentation shows works without a container engine."""

from __future__ import annotations

from typing import Any

import pytest
from celery import current_app
from celery.exceptions import TimeoutError as CeleryTimeout
from pytest_celery import CeleryTestSetup, RedisContainer, add, identity

SOON = 30


@pytest.fixture
def default_redis_broker_command(default_redis_broker_cls: type[RedisContainer]) -> list[str]:
    """The broker keeps what it took, as the project's does."""
    return list(default_redis_broker_cls.command("--appendonly", "yes", "--appendfsync", "always"))


def test_a_result_makes_the_round_trip(celery_setup: CeleryTestSetup) -> None:
    """Broker, worker and result backend are three real programs that speak to one another."""
    assert celery_setup.ready(ping=True, control=True, docker=True)
    assert add.s(1, 2).apply_async(queue=celery_setup.worker.worker_queue).get(timeout=SOON) == 3

    processes: list[dict[str, Any]] = celery_setup.worker.get_running_processes_info(["cmdline"])
    assert any("worker" in (process["cmdline"] or ()) for process in processes)


def test_a_worker_goes_on_when_its_broker_comes_back(celery_setup: CeleryTestSetup) -> None:
    """A broker is restarted for an update; nobody restarts the workers for it."""
    queue = celery_setup.worker.worker_queue
    assert add.s(1, 2).apply_async(queue=queue).get(timeout=SOON) == 3

    celery_setup.broker.restart()

    assert add.s(3, 4).apply_async(queue=queue).get(timeout=SOON) == 7


def test_what_was_queued_survives_a_kill_of_the_worker_and_a_restart_of_the_broker(
    celery_setup: CeleryTestSetup,
) -> None:
    """With the append-only file on, a message that was taken is there after both, and the new worker finds it."""
    queue = celery_setup.worker.worker_queue
    celery_setup.worker.kill()
    waiting = identity.s("still here").apply_async(queue=queue)
    with pytest.raises(CeleryTimeout):
        waiting.get(timeout=0.5)

    celery_setup.broker.restart()
    celery_setup.worker.restart()

    assert waiting.get(timeout=SOON) == "still here"


def test_the_projects_app_is_current_after_a_test_on_nodes() -> None:
    """pytest-celery makes its own apps current: tests that follow would publish to a broker that is gone."""
    assert current_app.main == "project"
