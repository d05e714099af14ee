"""What an attempt may still do to a job that others have ended or tried again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from celery.exceptions import Ignore, Retry
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone

from tasks import Permanent, Transient, crashpoints
from tasks.enqueue.models import OutboxMessage
from tasks.execution.continuation import continue_after
from tasks.execution.models import LedgerEntry
from tasks.signals import attempt_failed
from tests.integration.tasks.attempts.acts import (
    EVERY,
    ONCE,
    elsewhere,
    follows,
    in_body,
    inside,
    outside,
    plain,
    raising,
)
from tests.integration.tasks.attempts.delivering import deliver, job, states

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("calm")]


def test_a_late_copy_of_an_earlier_attempt_can_not_fail_the_job() -> None:
    task_id = plain.enqueue("k")

    def moved_on() -> None:
        OutboxMessage.objects.filter(task_id=task_id).update(retries=1, state="scheduled")
        raise Permanent("late")

    in_body["now"] = moved_on
    assert isinstance(deliver(plain, "k", task_id=task_id, **follows()), Ignore)
    assert job(task_id).state == "scheduled"
    assert not states("attempts.mourn")


@pytest.mark.parametrize("act", EVERY, ids=lambda act: act.name)
def test_an_error_after_the_commit_fails_nothing(act: Any) -> None:
    """An on_commit hook of the body's, or a reply that was lost: the effect is there, and so is what follows it."""
    task_id = act.enqueue("k")

    def with_hook() -> None:
        if act is inside:
            transaction.on_commit(raising(RuntimeError("hook")))

    in_body["now"] = with_hook
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crashpoints, "reach", _failing_at("after_commit"))
        answer = deliver(act, "k", task_id=task_id, **follows())

    assert isinstance(answer, Ignore) or (act is plain and answer is None)
    assert job(task_id).state == "succeeded"
    assert states("attempts.go_on") == ["queued"]
    assert not states("attempts.mourn")


def test_a_database_effect_of_a_job_that_was_given_up_meanwhile_is_undone() -> None:
    task_id = inside.enqueue("k")
    given_up = {"state": "cancelled", "finished_at": timezone.now()}
    in_body["now"] = elsewhere(lambda: OutboxMessage.objects.filter(task_id=task_id).update(**given_up))

    assert isinstance(deliver(inside, "k", task_id=task_id, **follows()), Ignore)
    assert job(task_id).state == "cancelled"
    assert not Group.objects.exists()
    assert not LedgerEntry.objects.exists()
    assert not states("attempts.go_on")


@pytest.mark.parametrize("act", [outside, plain], ids=lambda act: act.name)
def test_what_another_effect_is_followed_by_is_left_out_when_the_job_was_given_up(act: Any) -> None:
    """The effect is on record; but its error callbacks have run, so its next link must not."""
    task_id = act.enqueue("k")
    given_up = {"state": "dead", "finished_at": timezone.now()}
    in_body["now"] = elsewhere(lambda: OutboxMessage.objects.filter(task_id=task_id).update(**given_up))
    deliver(act, "k", task_id=task_id, **follows())

    assert job(task_id).state == "dead"
    assert not states("attempts.go_on")
    assert not LedgerEntry.objects.exclude(state="done").exists()


@pytest.mark.parametrize("act", EVERY, ids=lambda act: act.name)
def test_an_attempt_that_fails_at_its_end_keeps_its_chain(act: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next link was taken out of the request to be written, and what was written was rolled back."""
    task_id = act.enqueue("k")
    monkeypatch.setattr("tasks.execution.effects.continue_after", _then_fail)
    monkeypatch.setattr(plain, "retry_policy", ONCE)

    answer = deliver(act, "k", task_id=task_id, **follows())

    assert isinstance(answer, Retry)
    embedded = json.loads(job(task_id).body)[2]
    assert [link["task"] for link in embedded["chain"]] == ["attempts.go_on"]
    assert not states("attempts.go_on")


def test_a_receiver_that_fails_does_not_keep_a_job_from_its_end() -> None:
    def receiver(**_: object) -> None:
        Group.objects.create(name="the receiver's")
        raise RuntimeError

    attempt_failed.connect(receiver)
    try:
        in_body["now"] = raising(Permanent("declined"))
        task_id = inside.enqueue("k")
        assert isinstance(deliver(inside, "k", task_id=task_id, **follows()), Permanent)
    finally:
        attempt_failed.disconnect(receiver)
    assert job(task_id).state == "dead"
    assert not Group.objects.exists()


def _failing_at(point: str) -> Callable[[str, Any], None]:
    def reach(here: str, _: Any) -> None:
        if here == point:
            raise RuntimeError(point)

    return reach


def _then_fail(task: Any, result: Any) -> None:
    continue_after(task, result)
    raise Transient("at the end")
