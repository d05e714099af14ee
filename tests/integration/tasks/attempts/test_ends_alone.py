"""The end of a job without a ledger that nothing follows: one statement, which commits by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from celery.exceptions import Reject, SoftTimeLimitExceeded
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tasks import JobStatus, status
from tasks.execution.jobs import job_end
from tasks.signals import job_finished
from tests.concurrency import at_once
from tests.integration.tasks.attempts.acts import plain
from tests.integration.tasks.attempts.delivering import deliver, job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("calm")]

Happening = Callable[[], None]


@pytest.fixture
def at_the_end(monkeypatch: pytest.MonkeyPatch) -> Callable[[Happening], None]:
    """Let it happen once that the end is on record, before the worker has been told so."""

    def arm(happen: Happening) -> None:
        happenings = [happen]

        def end(*args: Any) -> Any:
            ended = job_end(*args)
            if happenings:
                happenings.pop()()
            return ended

        monkeypatch.setattr("tasks.execution.effects.job_end", end)

    return arm


def test_the_server_is_asked_twice() -> None:
    task_id = plain.enqueue("k")
    with CaptureQueriesContext(connection) as asked:
        deliver(plain, "k", task_id=task_id)

    about_jobs = [one["sql"] for one in asked if "auth_group" not in one["sql"]]
    assert [one.split()[0] for one in about_jobs] == ["WITH", "WITH"]
    assert status(task_id) is JobStatus.SUCCEEDED


def test_an_end_that_is_not_answered_is_found_by_the_next_delivery(
    at_the_end: Callable[[Happening], None],
) -> None:
    """The message comes again; what it was to do is done."""

    def lose_the_answer() -> None:
        connection.connection.pgconn.finish()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 'what says that it is gone'")

    task_id = plain.enqueue("k")
    at_the_end(lose_the_answer)

    answer = deliver(plain, "k", task_id=task_id)
    assert (type(answer), answer.requeue) == (Reject, True)
    deliver(plain, "k", task_id=task_id)
    assert (job(task_id).state, Group.objects.count()) == ("succeeded", 1)


def test_a_time_limit_in_the_middle_of_the_end_leaves_a_session_that_works(
    at_the_end: Callable[[Happening], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal comes while the server's answer is awaited. Without health checks nobody would notice."""
    monkeypatch.setitem(connection.settings_dict, "CONN_HEALTH_CHECKS", False)
    connection.close()

    def be_cut_off() -> None:
        connection.connection.pgconn.send_query(b"SELECT 'an answer that nobody reads'")
        raise SoftTimeLimitExceeded

    task_id = plain.enqueue("k")
    at_the_end(be_cut_off)

    answer = deliver(plain, "k", task_id=task_id)
    assert (type(answer), answer.requeue) == (Reject, True)
    assert job(task_id).state == "succeeded"


@pytest.mark.parametrize(("times", "state"), [(2, "succeeded"), (99, "started")])
def test_an_end_that_meets_a_lock_is_written_again_and_then_sent_back(
    times: int, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it was committed, and whatever was in the way may be gone by then."""
    left = [times]

    def meet_a_lock(*args: Any) -> Any:
        if left[0]:
            left[0] -= 1
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '10ms'")
                cursor.execute("SELECT FROM auth_group WHERE name = 'contended' FOR UPDATE")
        return job_end(*args)

    monkeypatch.setattr("tasks.execution.effects.job_end", meet_a_lock)
    task_id = plain.enqueue("k")
    Group.objects.create(name="contended")
    with transaction.atomic():
        Group.objects.select_for_update().get(name="contended")
        (answer,) = at_once(1, lambda: deliver(plain, "k", task_id=task_id))

    assert (answer == "result") is (state == "succeeded")
    assert isinstance(answer, Reject) is (state == "started")
    assert job(task_id).state == state
    assert Group.objects.exclude(name="contended").count() == 1


def test_who_is_told_of_the_end_is_told_in_its_transaction() -> None:
    """A receiver of the signal may write, and must be able to refuse."""

    def refuse(**_: Any) -> None:
        assert connection.in_atomic_block
        raise ValueError("no end")

    task_id = plain.enqueue("k")
    job_finished.connect(refuse)
    try:
        answer = deliver(plain, "k", task_id=task_id)
    finally:
        job_finished.disconnect(refuse)
    assert isinstance(answer, Reject)
    assert status(task_id) is JobStatus.STARTED
