"""`@task` refuses on the declaring line what could not work later, and passes the rest on to Celery."""

from __future__ import annotations

import traceback
from datetime import timedelta
from typing import Any

import pytest
from celery import Task

from tasks import ReliableTask, RetryPolicy, Transient, task
from tasks.errors import DeclarationError, InvalidDeclaration, UnknownOption

MINUTE = timedelta(minutes=1)


def test_a_misspelt_option_is_refused_on_the_line_that_declares_it() -> None:
    """Whoever misspelt it is shown their own line, at import, and what they meant."""
    with pytest.raises(UnknownOption, match="unknown option 'max_retires', did you mean 'max_retries'") as refused:
        task("unit.misspelt", time_limit=MINUTE, max_retires=3)

    frames = [frame for frame in traceback.extract_tb(refused.value.__traceback__) if frame.filename == __file__]
    assert [frame.line for frame in frames] == ['task("unit.misspelt", time_limit=MINUTE, max_retires=3)']


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "a time limit is required"),
        ({"time_limit": 60}, "a time limit is required"),
        ({"time_limit": MINUTE, "queue": "fast"}, "route the task by its name"),
        ({"time_limit": MINUTE, "autoretry_for": (OSError,)}, "retry=RetryPolicy"),
        ({"time_limit": MINUTE, "retry": 3}, "retry must be a RetryPolicy, not 3"),
        ({"time_limit": MINUTE, "retry_on": OSError}, "retry_on must be a tuple of exception classes"),
        ({"time_limit": MINUTE, "retry_on": (KeyboardInterrupt,)}, "retry_on must be a tuple of exception classes"),
        ({"time_limit": MINUTE, "base": Task}, "base must derive from ReliableTask"),
        ({"time_limit": MINUTE, "base": "ReliableTask"}, "base must derive from ReliableTask"),
        ({"time_limit": MINUTE, "max_retries": None}, "max_retries must be a number of 0 or more, not None"),
        ({"time_limit": MINUTE, "max_retries": -1}, "max_retries must be a number of 0 or more, not -1"),
        ({"time_limit": MINUTE, "max_retries": 3, "retry": RetryPolicy.never()}, "says twice how often to retry"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused(options: dict[str, Any], problem: str) -> None:
    """Each of these would show at run time only, on the first job or the first failure."""
    with pytest.raises(DeclarationError, match=problem):
        task("unit.refused", **options)


def test_a_task_without_a_wire_name_is_refused() -> None:
    """Celery would take the name from the module, and lose the queue's messages when the module moves."""
    with pytest.raises(InvalidDeclaration, match="a wire name is required"):
        task(time_limit=MINUTE)  # type: ignore[call-overload]


def test_an_async_function_is_refused() -> None:
    """Celery calls it, gets a coroutine, never awaits it, and reports success."""
    with pytest.raises(InvalidDeclaration, match="is `async def`, which Celery would never await"):

        @task("unit.asynchronous", time_limit=MINUTE)
        async def asynchronous() -> None: ...


def test_a_declared_task_carries_what_it_was_told() -> None:
    """What isn't passed on is a promise broken in silence."""
    policy = RetryPolicy.after(MINUTE, MINUTE)

    @task("unit.told", time_limit=MINUTE, retry=policy, retry_on=(OSError,), rate_limit="5/m", throws=(KeyError,))
    def told(order_id: int) -> int:
        """Doubles."""
        return 2 * order_id

    assert isinstance(told, ReliableTask)
    assert told.name == "unit.told"
    assert told.__doc__ == "Doubles."
    assert (told.time_limit, told.soft_time_limit) == (60, 54)
    assert (told.retry_policy, told.max_retries, told.retry_on) == (policy, 2, (OSError,))
    assert (told.rate_limit, told.throws) == ("5/m", (KeyError,))
    assert (told.acks_late, told.reject_on_worker_lost) == (True, True)
    assert told(4) == 8


def test_max_retries_alone_counts_the_retries_of_the_default_policy() -> None:
    """Celery's own word goes on working."""

    @task("unit.counted", time_limit=MINUTE, max_retries=2)
    def counted() -> None: ...

    assert counted.retry_policy == RetryPolicy(max_retries=2)
    assert counted.max_retries == 2


def test_a_bound_task_is_its_own_first_argument() -> None:
    """As in Celery."""

    @task("unit.bound", time_limit=MINUTE, bind=True)
    def bound(self: Any, order_id: int) -> tuple[str, int]:
        return self.name, order_id

    assert bound(3) == ("unit.bound", 3)


def test_a_base_of_ones_own_is_kept() -> None:
    """A project adds to the base class, as it does in Celery."""

    class Ours(ReliableTask[Any, Any]):
        abstract = True

    @task("unit.based", time_limit=MINUTE, base=Ours)
    def based() -> None: ...

    assert isinstance(based, Ours)


def test_called_in_the_program_a_task_is_a_plain_function() -> None:
    """Outside a worker nothing is retried: the caller gets the error."""

    @task("unit.plain", time_limit=MINUTE)
    def plain() -> None:
        raise Transient("away")

    with pytest.raises(Transient, match="away"):
        plain()
