"""What is to follow a job may be odd itself; that must not keep the job from its end, nor run it without one."""

from __future__ import annotations

from typing import Any

import pytest

from tasks import Permanent
from tasks.failure.letter_models import DeadLetter
from tests.integration.tasks.attempts.acts import EVERY, in_body, mourn, raising
from tests.integration.tasks.attempts.delivering import deliver, job, states

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("calm")]


@pytest.mark.parametrize("act", EVERY, ids=lambda act: act.name)
def test_an_error_callback_that_can_not_be_enqueued_does_not_keep_the_job_alive(act: Any) -> None:
    """Its queue was removed since. The job would be run again, and fail again, for ever."""
    task_id = act.enqueue("k")
    in_body["now"] = raising(Permanent("declined"))
    gone = {**dict(mourn.si()), "options": {"queue": "removed"}}

    assert isinstance(deliver(act, "k", task_id=task_id, errbacks=[gone, dict(mourn.si())]), Permanent)
    assert job(task_id).state == "dead"
    assert DeadLetter.objects.get().note == "its error callback attempts.mourn could not be enqueued: QueueNotFound"
    assert states(mourn.name) == ["queued"]


def test_a_batch_that_can_not_be_told_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The callback of the batch is what can't be enqueued. A redrive counts the member again."""
    monkeypatch.setattr("tasks.execution.deaths.member_died", lambda _: raising(LookupError("no such queue"))())
    task_id = EVERY[0].enqueue("k")
    in_body["now"] = raising(Permanent("declined"))
    deliver(EVERY[0], "k", task_id=task_id)

    assert job(task_id).state == "dead"
    assert DeadLetter.objects.get().note == "its batch was not told: LookupError"


def test_a_chain_of_what_is_no_task_fails_the_job_on_record() -> None:
    """A foreign publisher's, say."""
    task_id = EVERY[0].enqueue("k")
    deliver(EVERY[0], "k", task_id=task_id, chain=["x"], tasks_batch=7, tasks_edition=[1])

    assert job(task_id).state == "dead"
    assert DeadLetter.objects.get().state == "open"
