"""What becomes of a message when the database doesn't answer."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import Reject, Retry
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import OperationalError, connection, transaction
from django.test import override_settings

from tasks.enqueue.models import OutboxMessage
from tasks.execution.continuation import continue_after
from tests.concurrency import at_once
from tests.integration.tasks.attempts.acts import (
    EVERY,
    follows,
    in_body,
    inside,
    lapse,
    outside,
    plain,
    raising,
)
from tests.integration.tasks.attempts.delivering import deliver, job, states

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("patient")]


@pytest.fixture
def patient(calm: None) -> Iterator[None]:
    """The next attempt waits for the key: the server tells that a session is over before it lets go of its locks."""
    with override_settings(TASKS={**settings.TASKS, "LEDGER_WAIT": timedelta(seconds=20)}):
        yield


def _lose_connection() -> None:
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


@pytest.mark.parametrize("act", EVERY, ids=lambda act: act.name)
def test_a_connection_that_breaks_in_the_middle_sends_the_message_back(act: Any) -> None:
    """Nothing can be written, not even that it failed; the message must not be acknowledged."""
    task_id = act.enqueue("k")
    in_body["now"] = _lose_connection

    answer = deliver(act, "k", task_id=task_id, **follows())
    assert (type(answer), answer.requeue) == (Reject, True)
    assert job(task_id).state == "started"

    in_body["now"] = lambda: "result"
    lapse()
    assert deliver(act, "k", task_id=task_id, **follows()) == "result"
    assert job(task_id).state == "succeeded"


def test_a_connection_that_broke_since_the_last_job_is_made_anew() -> None:
    """A child keeps it between jobs; a database that was restarted must cost no delivery."""
    task_id = inside.enqueue("k")
    with pytest.raises(OperationalError):
        _lose_connection()

    assert deliver(inside, "k", task_id=task_id) == "result"


@pytest.mark.parametrize("act", EVERY, ids=lambda act: act.name)
def test_a_job_whose_row_is_locked_is_sent_back_and_not_failed(act: Any) -> None:
    """Somebody is ending it at this moment. Which end it is going to be is not ours to guess."""
    task_id = act.enqueue("k")

    def delivered() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '30ms'")
        return deliver(act, "k", task_id=task_id, **follows())

    with transaction.atomic():
        OutboxMessage.objects.select_for_update().get(task_id=task_id)
        (answer,) = at_once(1, delivered)

    assert isinstance(answer, Reject)
    assert job(task_id).state == "queued"
    assert not Group.objects.exists()


def test_a_job_that_could_not_be_begun_has_not_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though its failure could be written: the lock that was in the way may be gone by then."""
    monkeypatch.setattr("tasks.execution.attempt.job_begin", lambda *_: raising(OperationalError("lock timeout"))())
    task_id = plain.enqueue("k")

    assert isinstance(deliver(plain, "k", task_id=task_id, **follows()), Reject)
    assert job(task_id).state == "queued"
    assert not states("attempts.mourn")


def test_a_conflict_with_another_transaction_is_tried_again_for_a_database_effect() -> None:
    """A deadlock, a lock that was not to be had: all of it was rolled back."""
    Group.objects.create(name="contended")

    def contend() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '30ms'")
            cursor.execute("SELECT FROM auth_group WHERE name = 'contended' FOR UPDATE")

    in_body["now"] = contend
    task_id = inside.enqueue("k")
    with transaction.atomic():
        Group.objects.select_for_update().get(name="contended")
        (answer,) = at_once(1, lambda: deliver(inside, "k", task_id=task_id))

    assert isinstance(answer, Retry)
    assert (job(task_id).finished_at, job(task_id).retries) == (None, 1)


def test_a_database_of_somebody_elses_that_went_away_is_the_bodys_affair() -> None:
    """The job's own is there, so it fails as any other job does, and is not sent back without end."""
    in_body["now"] = raising(OperationalError("another server closed the connection"))
    task_id = plain.enqueue("k")

    assert isinstance(deliver(plain, "k", task_id=task_id), OperationalError)
    assert job(task_id).state == "dead"


def _be_frozen() -> None:
    """Longer in a transaction than the server lets anybody idle there."""
    session = select.poll()
    with connection.cursor() as cursor:
        session.register(connection.connection, select.POLLRDHUP)
        # The last that it says: what it said while the server ends the session would hide why that was ended. And it
        # must have heard the answer by then: what the server says with that, of itself, is not kept.
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '1s'")
        assert session.poll(10_000), "the server didn't end the session"
        cursor.execute("SELECT 1")


def _be_cut_off() -> None:
    """By a restart of the server, or by a network between, that says nothing of why."""
    connection.connection.pgconn.finish()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


@pytest.mark.parametrize("happens", [_be_frozen, _lose_connection, _be_cut_off])
@pytest.mark.parametrize("act", [outside, plain], ids=lambda act: act.name)
def test_a_session_that_is_lost_in_the_middle_of_an_end_is_made_anew_and_the_end_written(
    act: Any, happens: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has rolled back. The effect has happened: the job must not die of that, nor do it again."""
    happening = [happens]

    def once(task: Any, result: Any) -> None:
        continue_after(task, result)
        if happening:
            happening.pop()()

    monkeypatch.setattr("tasks.execution.effects.continue_after", once)
    task_id = act.enqueue("k")

    assert deliver(act, "k", task_id=task_id, **follows()) == "result"
    assert (job(task_id).state, states("attempts.go_on")) == ("succeeded", ["queued"])


@pytest.mark.parametrize("act", [outside, plain], ids=lambda act: act.name)
def test_an_end_whose_commit_is_not_answered_is_not_written_twice(act: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been committed, and here it was: the message comes again, and finds that."""

    def commit() -> None:
        monkeypatch.undo()
        connection.commit()
        connection.connection.pgconn.finish()
        raise OperationalError("server closed the connection unexpectedly")

    def then_lose_the_answer(task: Any, result: Any) -> None:
        continue_after(task, result)
        monkeypatch.setattr(connection, "commit", commit)

    monkeypatch.setattr("tasks.execution.effects.continue_after", then_lose_the_answer)
    task_id = act.enqueue("k")

    answer = deliver(act, "k", task_id=task_id, **follows())
    assert (type(answer), answer.requeue) == (Reject, True)
    assert (job(task_id).state, states("attempts.go_on")) == ("succeeded", ["queued"])

    deliver(act, "k", task_id=task_id, **follows())
    assert (job(task_id).state, states("attempts.go_on")) == ("succeeded", ["queued"])


def test_a_database_effect_that_idles_for_too_long_is_a_failed_attempt() -> None:
    """All of it was rolled back, so it may be tried again; but not without end, as it may idle every time."""
    in_body["now"] = _be_frozen
    task_id = inside.enqueue("k")

    assert isinstance(deliver(inside, "k", task_id=task_id), Retry)
    assert not isinstance(deliver(inside, "k", task_id=task_id, retries=1), Reject)
    assert job(task_id).state == "dead"
