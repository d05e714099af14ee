"""ReliableTask: what an error does to the job, and what is refused at the call. Celery's tracer runs it; no broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import Reject, Retry
from django.test import override_settings
from kombu.exceptions import OperationalError

from tasks import PayloadRefused, Permanent, ReliableTask, RetryPolicy, Transient, task

SECOND = timedelta(seconds=1)


class Away(Transient):
    """The provider can't be reached."""


class Refused(Permanent):
    """The provider said no."""


@task("unit.taking", time_limit=60 * SECOND)
def taking(order_id: int) -> None: ...


def raising(error: BaseException, name: str, **options: Any) -> ReliableTask[[], None]:
    """A task that raises *error*."""

    @task(name, time_limit=60 * SECOND, **options)
    def body() -> None:
        raise error

    declared: ReliableTask[[], None] = body
    return declared


@contextmanager
def in_a_worker(job: ReliableTask[..., Any], *, retries: int = 0, **request: Any) -> Iterator[None]:
    """As the tracer does it: a request on the stack that says that it wasn't called directly."""
    job.push_request(id="1", retries=retries, called_directly=False, args=[], kwargs={}, **request)
    try:
        yield
    finally:
        job.pop_request()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would have been published, with its options."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr("celery.app.task.Task.apply_async", lambda *_, **options: calls.append(options))
    return calls


@override_settings(TASKS={"RETRY_TIME_SCALE": 0.5})
def test_a_transient_error_is_retried_after_the_policys_wait_times_the_scale(sent: list[dict[str, Any]]) -> None:
    """The scale shortens demonstrations and tests without touching what is declared."""
    job = raising(Away("gone"), "unit.away", retry=RetryPolicy.after(10 * SECOND, 30 * SECOND))

    with in_a_worker(job, retries=1), pytest.raises(Retry) as retry:
        job()

    assert [(call["countdown"], call["retries"]) for call in sent] == [(15.0, 2)]
    assert isinstance(retry.value.exc, Away)


def test_when_the_policy_is_exhausted_the_error_itself_is_raised(sent: list[dict[str, Any]]) -> None:
    """Callbacks and logs then name the reason, not "max retries exceeded"."""
    job = raising(Away("gone"), "unit.away_for_good", retry=RetryPolicy.after(SECOND))

    with in_a_worker(job, retries=1), pytest.raises(Away, match="gone"):
        job()

    assert sent == []


@pytest.mark.parametrize("error", [Refused("no"), ValueError("a bug")])
def test_any_other_error_fails_at_once(error: Exception, sent: list[dict[str, Any]]) -> None:
    """A declined card doesn't get better, and a bug doesn't either."""
    job = raising(error, f"unit.{type(error).__name__.lower()}")

    with in_a_worker(job), pytest.raises(type(error)):
        job()

    assert sent == []


def test_an_error_of_others_is_retried_where_the_task_names_it(sent: list[dict[str, Any]]) -> None:
    """A library's errors can't derive from Transient."""
    job = raising(ConnectionResetError(), "unit.reset", retry_on=(OSError,))

    with in_a_worker(job), pytest.raises(Retry):
        job()

    assert len(sent) == 1


def test_permanent_wins_over_what_retry_on_names(sent: list[dict[str, Any]]) -> None:
    """`retry_on=(Exception,)` must not turn a no into five noes."""
    job = raising(Refused("no"), "unit.no_means_no", retry_on=(Exception,))

    with in_a_worker(job), pytest.raises(Refused):
        job()

    assert sent == []


def test_what_celery_raises_for_itself_passes(sent: list[dict[str, Any]]) -> None:
    """`Reject` and the like are instructions to the worker, not failures."""
    job = raising(Reject("later", requeue=True), "unit.rejecting", retry_on=(Exception,))

    with in_a_worker(job), pytest.raises(Reject):
        job()

    assert sent == []


def unreachable(*_: Any, **__: Any) -> None:
    raise OperationalError("connection refused")


def undeclared(*_: Any, **__: Any) -> None:
    raise KeyError("no such queue")


@pytest.mark.parametrize(
    ("publish", "outcome"), [(unreachable, Reject), (undeclared, KeyError)], ids=["broker away", "another error"]
)
def test_a_retry_that_cannot_be_published_does_not_lose_the_job(
    publish: Callable[..., None], outcome: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Celery rejects such a job without requeueing it: gone, with no callback. Ours goes back, or fails aloud."""
    monkeypatch.setattr("celery.app.task.Task.apply_async", publish)
    job = raising(Away("gone"), f"unit.unpublished_{publish.__name__}")

    with in_a_worker(job), pytest.raises(outcome) as raised:
        job()

    assert getattr(raised.value, "requeue", True) is True


@override_settings(TASKS={"PAYLOAD_MAX_BYTES": 100})
@pytest.mark.parametrize(
    "call",
    [
        lambda job: job.delay({1, 2}),
        lambda job: job.apply_async(({1, 2},)),
        lambda job: job.apply_async(kwargs={"order_id": {1, 2}}),
        lambda job: job.s({1, 2}),
        lambda job: job.si(order_id={1, 2}),
        lambda job: job.signature(({1, 2},)),
        lambda job: job.signature((), {"order_id": {1, 2}}),
        lambda job: job.delay_on_commit({1, 2}),
        lambda job: job.apply_async_on_commit(({1, 2},)),
    ],
    ids=["delay", "args", "kwargs", "s", "si", "signature", "signature and kwargs", "delay on commit", "on commit"],
)
def test_an_argument_that_would_change_on_its_way_is_refused_at_the_call(
    call: Callable[[Any], Any], sent: list[dict[str, Any]]
) -> None:
    """Wherever the arguments are given, the traceback shows the line that gave them."""
    with pytest.raises(PayloadRefused, match=r"unit\.taking: argument (0|'order_id') is a builtins\.set"):
        call(taking)

    assert sent == []
