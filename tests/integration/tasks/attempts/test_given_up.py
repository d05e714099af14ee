"""A body that raises Celery's Ignore has given its job up: it ends, or it would be sent again for ever."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Signature, current_app
from celery.exceptions import Ignore, Reject
from django.contrib.auth.models import Group
from django.db import OperationalError

from tasks import Batch
from tasks.enqueue.models import OutboxMessage
from tasks.execution.batch import Progress
from tasks.execution.models import LedgerEntry
from tests.integration.tasks.attempts.acts import EVERY, elsewhere, follows, go_on, in_body, inside, plain, raising
from tests.integration.tasks.attempts.delivering import deliver, job, states

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("calm")]


@pytest.mark.parametrize("act", EVERY, ids=lambda act: act.name)
def test_a_body_that_ignores_itself_cancels_its_job(act: Any) -> None:
    """Nothing follows it, its batch counts it as dead, and its key is free: nothing has happened."""
    in_body["now"] = raising(Ignore())
    with Batch() as batch:
        task_id = batch.add(act.si("k"))

    assert isinstance(deliver(act, "k", task_id=task_id, tasks_batch=batch.id, **follows()), Ignore)
    assert (job(task_id).state, job(task_id).finished_at is not None) == ("cancelled", True)
    assert Batch.progress(batch.id) == Progress(total=1, succeeded=0, dead=1)
    assert (states("attempts.go_on"), states("attempts.mourn")) == ([], [])
    assert not LedgerEntry.objects.exclude(state="free").exists()
    assert Group.objects.count() == int(act is not inside)


def test_a_late_copy_that_ignores_itself_cancels_nothing() -> None:
    task_id = plain.enqueue("k")

    def moved_on() -> None:
        OutboxMessage.objects.filter(task_id=task_id).update(retries=1, state="scheduled")

    in_body["now"] = lambda: (elsewhere(moved_on)(), raising(Ignore())())
    deliver(plain, "k", task_id=task_id)

    assert job(task_id).state == "scheduled"


def test_one_whose_end_can_not_be_written_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Acknowledged, its row would stay started."""
    monkeypatch.setattr("tasks.execution.giving_up.job_end", lambda *_: raising(OperationalError("away"))())
    in_body["now"] = raising(Ignore())
    task_id = plain.enqueue("k")
    answer = deliver(plain, "k", task_id=task_id)

    assert (type(answer), answer.requeue) == (Reject, True)


def test_a_body_that_replaces_itself_leaves_the_job_to_what_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """That has the same id, and ends the job when it ends."""
    monkeypatch.setattr(Signature, "delay", lambda _: None)
    in_body["now"] = lambda: current_app.tasks[plain.name].replace(go_on.si())
    task_id = plain.enqueue("k")

    assert isinstance(deliver(plain, "k", task_id=task_id), Ignore)
    assert job(task_id).state == "started"
