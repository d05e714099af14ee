"""What becomes of a job whose effect has happened while something is in the way of writing that down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from celery.exceptions import Reject, Retry
from django.contrib.auth.models import Group
from django.db import OperationalError, connection, transaction

from tasks import Settled
from tasks.execution.continuation import continue_after
from tests.concurrency import at_once
from tests.integration.tasks.attempts.acts import (
    follows,
    hook,
    in_body,
    inside,
    never_again,
    outside,
    plain,
    raising,
)
from tests.integration.tasks.attempts.delivering import deliver, job, states

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("calm")]

Contend = Callable[[int], None]


def contended(call: Callable[[], Any]) -> Any:
    """The answer of *call*, made on another connection while a row is locked that `lock` wants."""
    Group.objects.create(name="contended")
    with transaction.atomic():
        Group.objects.select_for_update().get(name="contended")
        (answer,) = at_once(1, call)
    return answer


def lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '10ms'")
        cursor.execute("SELECT FROM auth_group WHERE name = 'contended' FOR UPDATE")


@pytest.fixture
def contend(monkeypatch: pytest.MonkeyPatch) -> Contend:
    """Let so many transactions that end a job meet the lock, after all they have to say."""
    left = [0]

    def then_lock(task: Any, result: Any) -> None:
        continue_after(task, result)
        if left[0]:
            left[0] -= 1
            lock()

    monkeypatch.setattr("tasks.execution.effects.continue_after", then_lock)
    return lambda times: left.__setitem__(0, times)


@pytest.mark.parametrize("act", [never_again, plain], ids=lambda act: act.name)
def test_an_end_that_meets_a_lock_is_written_again(act: Any, contend: Contend) -> None:
    """It was rolled back for certain, so nothing need be asked of anybody: the body is not run, nor settled, again."""
    task_id = act.enqueue("k")
    contend(2)
    answer = contended(lambda: deliver(act, "k", task_id=task_id, **follows()))

    assert (answer, job(task_id).state) == ("result", "succeeded")
    assert Group.objects.exclude(name="contended").count() == 1
    assert states("attempts.go_on") == ["queued"]
    assert not states("attempts.mourn")


@pytest.mark.parametrize("act", [outside, plain], ids=lambda act: act.name)
def test_an_end_that_can_not_be_written_sends_the_message_back(act: Any, contend: Contend) -> None:
    """The customer is charged: the job must not die, and what its death would do must not be done."""
    task_id = act.enqueue("k")
    contend(99)
    answer = contended(lambda: deliver(act, "k", task_id=task_id, **follows()))

    assert (type(answer), answer.requeue) == (Reject, True)
    assert (job(task_id).state, job(task_id).retries) == ("started", 0)
    assert not states("attempts.mourn")
    contend(0)
    hook["now"] = lambda: Settled("settled")
    assert deliver(act, "k", task_id=task_id, **follows()) == ("settled" if act is outside else "result")
    assert job(task_id).state == "succeeded"
    assert states("attempts.go_on") == ["queued"]


def test_the_end_of_a_job_whose_effect_another_brought_about_is_no_failure_either(contend: Contend) -> None:
    deliver(outside, "k", task_id=outside.enqueue("k"))
    task_id = outside.enqueue("k")
    contend(99)

    assert isinstance(contended(lambda: deliver(outside, "k", task_id=task_id)), Reject)
    assert job(task_id).state == "started"


def test_a_database_effect_is_rolled_back_and_tried_again(contend: Contend) -> None:
    """All of it is one transaction, so it is an attempt that failed, and is counted."""
    task_id = inside.enqueue("k")
    contend(1)

    assert isinstance(contended(lambda: deliver(inside, "k", task_id=task_id, **follows())), Retry)
    assert (job(task_id).finished_at, job(task_id).retries) == (None, 1)


def test_what_somebody_elses_database_says_at_the_end_is_an_error_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A receiver's, say. It may say so every time, and the message would come again without end."""
    monkeypatch.setattr(
        "tasks.execution.effects.continue_after", lambda *_: raising(OperationalError("another server"))()
    )
    task_id = plain.enqueue("k")

    assert isinstance(deliver(plain, "k", task_id=task_id, **follows()), OperationalError)
    assert job(task_id).state == "dead"


def test_a_lock_in_the_body_is_the_bodys_affair() -> None:
    """Of an effect outside, nobody knows what such a body has done: its author decides, by `retry_on`."""
    in_body["now"] = transaction.atomic()(lock)
    task_id = outside.enqueue("k")

    assert isinstance(contended(lambda: deliver(outside, "k", task_id=task_id)), OperationalError)
    assert job(task_id).state == "dead"
