"""Each class of service has its own worker, its own queues, and an order inside the queue."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery.exceptions import QueueNotFound

from config.queues import BULK, NORMAL, PATIENT, QUEUES, URGENT, WORKERS
from tests.e2e.smoke.nodes import Nodes
from tests.e2e.smoke.stage import Stage

pytestmark = pytest.mark.django_db  # so that the database is there which the workers write to


@pytest.fixture(scope="module")
def stage(nodes: Nodes) -> Iterator[Stage]:
    """No worker drinks yet."""
    stage = Stage(nodes)
    yield stage
    stage.teardown()


def test_urgent_jobs_overtake_those_that_wait_in_the_same_queue(stage: Stage) -> None:
    """A queue that has filled up is worked off by urgency, and by age within the same."""
    sent = [(urgency, f"{urgency}-{turn}") for turn in range(3) for urgency in (BULK, NORMAL, URGENT, PATIENT)]
    for urgency, mark in sent:
        stage.send("note_low", mark, priority=urgency)
    assert stage.depths() == {"low": len(sent)}

    stage.worker("low")
    stage.await_quiet()

    assert [note["mark"] for note in stage.notes()] == [mark for _, mark in sorted(sent, key=lambda job: job[0])]


def test_a_job_runs_on_the_worker_of_its_class_and_on_no_other(stage: Stage) -> None:
    """Money doesn't wait behind photographs: with its own worker gone a class waits, though all others are idle."""
    workers = {kind: stage.worker(kind, ready=False) for kind in WORKERS if kind != "low"}
    for worker in workers.values():
        worker.ready()
    expected = {queue: kind for kind, queues in WORKERS.items() for queue in queues}

    for turn in range(4):
        for queue in QUEUES:
            stage.send(f"note_{queue}", f"{queue}-{turn}")
    stage.await_quiet()

    ran_on = {note["mark"]: note["worker"].partition("@")[0] for note in stage.notes() if note["mark"][0].isalpha()}
    assert ran_on == {f"{queue}-{turn}": expected[queue] for queue in QUEUES for turn in range(4)}

    workers["critical"].kill()
    stage.send("note_critical", "waits")
    for queue in QUEUES:
        if queue != "critical":
            stage.send(f"note_{queue}", f"{queue}-after")
            stage.await_notes(f"{queue}-after", "ran")
    assert stage.depths() == {"critical": 1}
    assert stage.said("waits") == []


def test_publishing_to_a_misspelt_queue_is_refused(stage: Stage) -> None:
    """Celery would make the queue, and the job would wait in it for ever."""
    with pytest.raises(QueueNotFound, match="critcal"):
        stage.send("note_ran", "typo", queue="critcal")

    assert stage.client.keys("*critcal*") == []


def test_a_worker_on_a_misspelt_queue_does_not_start(stage: Stage) -> None:
    """Celery would start it, and it would drink from a queue that nobody fills."""
    worker = stage.worker("critical", options="--queues critcal", ready=False)

    assert worker.container.wait() != 0
    assert "critcal" in worker.logs()
