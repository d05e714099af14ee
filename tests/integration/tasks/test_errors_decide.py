"""What an error does to a job: the next attempt is a row in the outbox, or the job is dead on record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import Ignore, Reject, Retry
from django.test import override_settings
from django.utils import timezone

from tasks import JobStatus, Permanent, ReliableTask, RetryPolicy, Transient, status, task
from tasks.enqueue.models import OutboxMessage

pytestmark = pytest.mark.django_db(transaction=True)

SECOND = timedelta(seconds=1)


class Away(Transient):
    """The provider can't be reached."""


class Refused(Permanent):
    """The provider said no."""


def raising(error: BaseException, name: str, **options: Any) -> ReliableTask[[], None]:
    """A task that raises *error*."""

    @task(name, time_limit=60 * SECOND, **options)
    def body() -> None:
        raise error

    declared: ReliableTask[[], None] = body
    return declared


@contextmanager
def in_a_worker(job: ReliableTask[..., Any], *, retries: int = 0) -> Iterator[str]:
    """As the tracer does it: a request on the stack that says that it wasn't called directly. Yields the task id."""
    task_id = job.enqueue()
    OutboxMessage.objects.filter(task_id=task_id).update(state="sent", retries=retries)
    job.push_request(id=task_id, retries=retries, called_directly=False, args=[], kwargs={})
    try:
        yield task_id
    finally:
        job.pop_request()


@override_settings(TASKS={"RETRY_TIME_SCALE": 0.5})
def test_a_transient_error_is_retried_after_the_policys_wait_times_the_scale() -> None:
    """The scale shortens demonstrations and tests without touching what is declared."""
    job = raising(Away("gone"), "deciding.away", retry=RetryPolicy.after(10 * SECOND, 30 * SECOND))
    began = timezone.now()
    with in_a_worker(job, retries=1) as task_id, pytest.raises(Retry) as retry:
        job()
    row = OutboxMessage.objects.get(task_id=task_id)
    assert (row.state, row.retries) == ("scheduled", 2)
    assert began + 15 * SECOND <= row.due_at <= timezone.now() + 15 * SECOND
    assert isinstance(retry.value.exc, Away)
    assert status(task_id) is JobStatus.RETRYING


def test_when_the_policy_is_exhausted_the_error_itself_is_raised() -> None:
    """Callbacks and logs then name the reason, not "max retries exceeded"."""
    job = raising(Away("gone"), "deciding.away_for_good", retry=RetryPolicy.after(SECOND))
    with in_a_worker(job, retries=1) as task_id, pytest.raises(Away, match="gone"):
        job()
    assert status(task_id) is JobStatus.DEAD
    assert OutboxMessage.objects.get(task_id=task_id).problem == "Away: gone"


@pytest.mark.parametrize("error", [Refused("no"), ValueError("a bug")])
def test_any_other_error_fails_at_once(error: Exception) -> None:
    """A declined card doesn't get better, and a bug doesn't either."""
    job = raising(error, f"deciding.{type(error).__name__.lower()}")
    with in_a_worker(job) as task_id, pytest.raises(type(error)):
        job()
    assert status(task_id) is JobStatus.DEAD


def test_an_error_of_others_is_retried_where_the_task_names_it() -> None:
    """A library's errors can't derive from Transient."""
    job = raising(ConnectionResetError(), "deciding.reset", retry_on=(OSError,))
    with in_a_worker(job) as task_id, pytest.raises(Retry):
        job()
    assert status(task_id) is JobStatus.RETRYING


def test_permanent_wins_over_what_retry_on_names() -> None:
    """`retry_on=(Exception,)` must not turn a no into five noes."""
    job = raising(Refused("no"), "deciding.no_means_no", retry_on=(Exception,))
    with in_a_worker(job) as task_id, pytest.raises(Refused):
        job()
    assert status(task_id) is JobStatus.DEAD


def test_what_celery_raises_for_itself_passes() -> None:
    """`Reject` and the like are instructions to the worker, not failures."""
    job = raising(Reject("later", requeue=True), "deciding.rejecting", retry_on=(Exception,))
    with in_a_worker(job) as task_id, pytest.raises(Reject):
        job()
    assert status(task_id) is JobStatus.STARTED


def test_an_attempt_that_was_overtaken_does_not_run() -> None:
    """Its message came twice, and the first delivery has written the next attempt already."""
    job = raising(AssertionError("it ran"), "deciding.overtaken")
    with in_a_worker(job) as task_id:
        OutboxMessage.objects.filter(task_id=task_id).update(retries=1)
        with pytest.raises(Ignore):
            job()
