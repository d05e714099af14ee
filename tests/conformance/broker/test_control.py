"""What goes the other way: remote control and results."""

from __future__ import annotations

import uuid
from pathlib import Path

from tasks.operation.health import queue_consumers
from tasks.testing.waiting import eventually
from tests.conformance.broker.declaring import cannot, promised
from tests.conformance.broker.floor import Floor
from tests.conformance.broker.subjects import Subject


@promised("control")
def test_workers_answer_and_obey(manned_floor: Floor) -> None:
    """`ping` and `inspect` bring every worker's answer; a revoked job isn't carried out."""
    control = manned_floor.app.control
    eventually(lambda: len(control.ping(timeout=2, limit=2)) == 2)  # they take jobs before they listen
    queues = control.inspect(timeout=30, limit=2).active_queues()
    assert [[queue["name"] for queue in held] for held in queues.values()] == [[manned_floor.queue.name]] * 2

    revoked = uuid.uuid4().hex
    assert len(control.revoke(revoked, reply=True, timeout=30, limit=2)) == 2
    manned_floor.send("say", "revoked", task_id=revoked)
    for turn in range(4):
        manned_floor.send("say", f"after the revoked {turn}")
    for turn in range(4):
        manned_floor.await_said(f"after the revoked {turn}", "ran")
    assert manned_floor.said("revoked") == []


@cannot("control", "sqs")
def test_sqs_has_no_remote_control(manned_floor: Floor) -> None:
    """Who asks gets no answer, and must not take that for an absence: jobs are carried out all the same."""
    assert manned_floor.app.control.ping(timeout=2) == []
    assert queue_consumers(manned_floor.app) is None

    manned_floor.send("say", "uncontrolled")
    manned_floor.await_said("uncontrolled", "ran")


@promised("results")
def test_a_result_comes_back_through_the_broker(subject: Subject, notes_url: str, tmp_path: Path) -> None:
    """To whoever asked, and to nobody else."""
    floor = Floor(subject, notes_url=notes_url, directory=tmp_path, backend="rpc://")
    try:
        floor.worker(options="--concurrency 1")
        answers = [floor.send("double", number) for number in range(3)]

        assert [answer.get(timeout=30) for answer in answers] == [0, 2, 4]
    finally:
        floor.close()
