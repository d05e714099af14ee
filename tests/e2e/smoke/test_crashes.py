"""Something dies or is asked to end while a job runs: the job is finished, or carried out again, and none is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tasks.testing.waiting import eventually
from tests.e2e.smoke.nodes import Nodes
from tests.e2e.smoke.stage import Stage

VISIBILITY_TIMEOUT = 5  # longer than a job of these tests is held, were the machine ever so busy

pytestmark = pytest.mark.django_db  # so that the database is there which the workers write to


@pytest.fixture(scope="module")
def stage(nodes: Nodes) -> Iterator[Stage]:
    """A broker, and a publisher to it."""
    stage = Stage(nodes)
    yield stage
    stage.teardown()


@pytest.fixture(scope="module")
def worker(stage: Stage) -> Any:
    """One worker, which each test leaves, or finds, running."""
    return stage.worker("default", SMOKE_VISIBILITY_TIMEOUT=str(VISIBILITY_TIMEOUT))


def test_a_killed_child_costs_one_run_of_its_job(stage: Stage, worker: Any) -> None:
    """The kernel kills whoever takes too much memory; the job goes back to its queue and another child takes it."""
    stage.send("hold", "killed child")
    (started,) = stage.await_notes("killed child", "started")

    worker.container.exec_run(f"kill -KILL {started['pid']}")
    again = stage.await_notes("killed child", "started", "started")[-1]
    stage.release("killed child")

    stage.await_notes("killed child", "started", "started", "finished")
    stage.await_quiet()
    assert again["task_id"] == started["task_id"]
    assert again["pid"] != started["pid"]


def test_a_killed_workers_job_is_carried_out_after_the_visibility_timeout(stage: Stage, worker: Any) -> None:
    """The machine is gone with all its processes; the broker hands the job out again, to whoever starts next."""
    stage.send("hold", "killed worker")
    stage.await_notes("killed worker", "started")

    worker.kill()
    assert stage.in_hands() == 1
    eventually(lambda: seconds_held(stage) > VISIBILITY_TIMEOUT)
    worker.restart()
    stage.await_notes("killed worker", "started", "started")
    stage.release("killed worker")

    stage.await_notes("killed worker", "started", "started", "finished")
    stage.await_quiet()


def test_a_stopping_worker_finishes_what_it_runs(stage: Stage, worker: Any) -> None:
    """A deploy sends SIGTERM: nothing is cut off, nothing new is taken, and the job isn't run again afterwards."""
    stage.send("hold", "warm shutdown")
    stage.await_notes("warm shutdown", "started")

    worker.kill("SIGTERM")
    eventually(lambda: "shutdown" in worker.logs())
    stage.send("note_default", "sent meanwhile")
    stage.release("warm shutdown")

    assert worker.container.wait() == 0
    assert stage.said("warm shutdown") == ["started", "finished"]
    assert (stage.said("sent meanwhile"), stage.in_hands(), stage.depths()) == ([], 0, {"default": 1})
    worker.restart()
    stage.await_notes("sent meanwhile", "ran")
    stage.await_quiet()
    assert stage.said("warm shutdown") == ["started", "finished"]


def test_a_restart_of_the_broker_loses_no_job(stage: Stage, worker: Any) -> None:
    """Two run, two wait, one is published afterwards: all are done, though those that ran may be done twice."""
    marks = [f"before {turn}" for turn in range(4)]
    for mark in marks:
        stage.send("hold", mark)
    eventually(lambda: sum("started" in stage.said(mark) for mark in marks) == 2)

    stage.broker.restart()

    stage.send("note_default", "after")
    for mark in marks * 4:  # one for each run, of which there may be some
        stage.release(mark)
    stage.await_quiet()
    assert [mark for mark in marks if "finished" not in stage.said(mark)] == []
    assert stage.said("after") == ["ran"]
    assert worker.container.status == "running"


def seconds_held(stage: Stage) -> float:
    """How long the message that was taken first has been in a worker's hands, by the broker's clock."""
    taken_at = stage.client.zscore("unacked_index", stage.client.hkeys("unacked")[0])
    seconds, microseconds = stage.client.time()
    return float(seconds) + float(microseconds) / 1e6 - float(taken_at or 0)
