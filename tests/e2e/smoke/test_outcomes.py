"""What becomes of a job: its result, its retries, its limits, what it may be sent as, and what it writes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import structlog
from kombu import Producer

from config.queues import DEFAULT
from tasks.testing.waiting import eventually
from tests.e2e.smoke.nodes import Nodes
from tests.e2e.smoke.stage import Stage, log_lines, new_app

SCALE = 0.2  # of every wait between attempts, as the stage tells its workers
CARD_NUMBER = "4000056655665556"

pytestmark = pytest.mark.django_db  # so that the database is there which the workers write to


@pytest.fixture(scope="module")
def stage(nodes: Nodes) -> Iterator[Stage]:
    """One worker, of the class `default`, which has no result backend."""
    stage = Stage(nodes)
    yield stage
    stage.teardown()


@pytest.fixture(scope="module")
def worker(stage: Stage) -> Any:
    """That worker."""
    return stage.worker("default")


@pytest.mark.usefixtures("worker")
def test_nothing_is_kept_of_a_result_that_nobody_asked_for(stage: Stage) -> None:
    """A result backend costs half a worker, and what matters is in the database."""
    stage.send("double", 4)
    stage.send("note_default", "after")
    stage.await_notes("after", "ran")

    assert stage.client.keys("celery-task-meta-*") == []


def test_a_result_comes_back_where_a_backend_is_asked_for(nodes: Nodes) -> None:
    """Asked for by a variable and by the task; the settings need no change."""
    stage = Stage(nodes)
    stage.worker("default", CELERY_RESULT_BACKEND=stage.broker.config()["url"])
    stage.app.conf.update(result_backend=stage.url)

    assert stage.send("double", 4).get(timeout=30) == 8


@pytest.mark.usefixtures("worker")
def test_a_transient_error_is_retried_after_the_policys_waits(stage: Stage) -> None:
    """Declared as 1 s and 3 s, times the scale: not earlier, and not a poll of the broker later."""
    stage.send("try_again", "away twice", 2)
    notes = stage.await_notes("away twice", "tried", "tried", "tried", "ran")

    assert [note["attempt"] for note in notes] == [1, 2, 3, 3]
    assert len({note["task_id"] for note in notes}) == 1
    waits = [later["at"] - earlier["at"] for earlier, later in pairwise(notes[:3])]
    for wait, declared in zip(waits, (1, 3), strict=True):
        assert declared * SCALE <= wait < declared * SCALE + 10


@pytest.mark.usefixtures("worker")
def test_a_transient_error_that_stays_fails_when_the_policy_is_exhausted(stage: Stage) -> None:
    """Three attempts as declared, then its error callback, once."""
    stage.send("try_again", "away for good", 9, link_error=told("away for good", stage))

    stage.await_notes("away for good", "tried", "tried", "tried", "ran")
    stage.await_quiet()
    assert stage.said("away for good") == ["tried", "tried", "tried", "ran"]


@pytest.mark.usefixtures("worker")
def test_a_permanent_error_is_not_retried(stage: Stage) -> None:
    """One attempt, then its error callback."""
    stage.send("give_up", "refused", link_error=told("refused", stage))

    notes = stage.await_notes("refused", "tried", "ran")
    stage.await_quiet()
    assert stage.said("refused") == ["tried", "ran"]
    assert notes[0]["attempt"] == 1


@pytest.mark.usefixtures("worker")
def test_a_job_is_asked_to_stop_at_its_soft_limit(stage: Stage) -> None:
    """It gets an exception where it stands, and ends in order."""
    stage.send("stop_when_asked", "overrun")

    started, asked = stage.await_notes("overrun", "started", "asked to stop")
    assert 0.5 < asked["at"] - started["at"] < 30  # two seconds, which count from before the body begins


def test_a_job_that_goes_on_is_killed_at_its_hard_limit(stage: Stage, worker: Any) -> None:
    """Its child dies, the job does not come back, and the worker works on.

    Its error callback runs, and by Celery 5.7 twice: the worker reports the limit, and then the child's death.
    """
    stage.send("never_stop", "endless", link_error=told("endless", stage))

    eventually(lambda: "ran" in stage.said("endless"))
    started, _, told_of = stage.notes("endless")[:3]
    assert 2.5 < told_of["at"] - started["at"] < 30
    eventually(lambda: started["pid"] not in worker.container.child_pids())
    stage.await_quiet()
    assert stage.said("endless")[:3] == ["started", "asked to stop", "ran"]
    assert set(stage.said("endless")[3:]) <= {"ran"}


def test_a_pickle_is_refused_and_does_no_harm(stage: Stage, worker: Any) -> None:
    """A pickle from the broker is code from the broker: it is put away unread, and the worker goes on."""
    before = worker.container.child_pids()
    pickled = new_app(stage.url)
    pickled.conf.update(accept_content=["json", "pickle"])
    pickled.send_task("smoke.note_default", ["pickled"], serializer="pickle")

    stage.send("note_default", "after the pickle")
    stage.await_notes("after the pickle", "ran")
    stage.await_quiet()

    assert stage.said("pickled") == []
    assert set(before) <= set(worker.container.child_pids()), "nor did a process of its pool die"
    assert "Refusing to deserialize" in worker.logs()


@pytest.mark.usefixtures("worker")
def test_a_message_that_only_claims_to_be_json_does_no_harm(stage: Stage) -> None:
    """Whoever can write to the broker can write anything."""
    with stage.app.connection_for_write() as connection:
        Producer(connection).publish(
            b"\x80\x04not json",
            routing_key=DEFAULT,
            exchange=DEFAULT,
            content_type="application/json",
            content_encoding="utf-8",
        )

    stage.send("note_default", "after the garbage")
    stage.await_notes("after the garbage", "ran")
    stage.await_quiet()


def test_a_jobs_lines_say_which_job_whose_and_nothing_secret(stage: Stage, worker: Any) -> None:
    """Each line stands alone in a log of thousands; arguments, where secrets are, stay out of it."""
    with structlog.contextvars.bound_contextvars(user_id=7, request_id="r-1", password="hunter2", ip="10.1.2.3"):
        sent = stage.send("log", "logged", CARD_NUMBER, link=told("logged", stage))
    stage.await_notes("logged", "ran", "ran")

    def lines_of_job() -> list[dict[str, Any]]:
        return [line for line in log_lines(worker) if line.get("task_id") == sent.id]

    # What follows may have run already when the job's process says that the job has succeeded.
    eventually(lambda: "task_succeeded" in {line["event"] for line in lines_of_job()})
    lines = lines_of_job()
    (own,) = [line for line in lines if line["event"] == "smoke_said"]
    job = {"task": "smoke.log", "attempt": 1, "root_id": sent.id, "queue": DEFAULT, "user_id": 7, "request_id": "r-1"}
    assert job.items() <= own.items()
    assert (own["mark"], own["digits"], own["level"]) == ("logged", 16, "info")
    assert {"task_started", "smoke_said"} <= {line["event"] for line in lines}
    assert all(job.items() <= line.items() for line in lines)

    (linked,) = [line for line in log_lines(worker) if line.get("parent_task_id") == sent.id and "task" in line][:1]
    assert (linked["task"], linked["root_id"], linked["user_id"]) == ("smoke.note_ran", sent.id, 7)

    for secret in (CARD_NUMBER, "hunter2", "10.1.2.3"):
        assert secret not in worker.logs()


def told(mark: str, stage: Stage) -> Any:
    """A callback that notes that it ran."""
    return stage.app.signature("smoke.note_ran", (mark,), immutable=True)
