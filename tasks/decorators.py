"""`@task`: declares a task, and refuses on that line what could not work later.

Beside what is in its signature it takes:

- effect: "database" when what the task does is rows in this database: they, the record that it is done, and the next
  link commit together. "external" when it acts outside: the record is made before and after, and what is unknown after
  a crash is settled by *reconcile* (asked with the key; answers Settled or None) or by *on_unknown* ("retry" or
  "dead"). Without it a delivery that comes twice runs twice.
- once: the idempotency key of the effect, as a template over the parameters ("orders:{order_id}:charge") or a function
  of them; default: the task id. *ttl*: how long it is remembered (30 days). *lease*: after this an external effect's
  worker is taken for dead (default: the time limit and 10 seconds).
- budget: `RetryBudget(...)` when an outage upstream is to hold the task's jobs back instead of failing each of them.
- secret: names of parameters, and of fields inside them, that are shown nowhere: not in dead letters, logs and Flower.
  Names that say so themselves (`password`, `api_key`, ...) are secret anyway.
- on_death: called with the dead letter and the job's arguments by name, in the transaction in which a job has died.
  Keep it to this database, enqueue what takes longer. What it raises is logged, and undone.
- on_redrive: called likewise when the letter is redriven, to put right what `on_death` has undone. What it raises is
  why the letter can't be redriven.
- keep_revoked: True keeps a revoked job as a dead letter, too.
- unique: `Unique(by=("user_id",), ...)` when of the jobs that mean the same only one is to be enqueued.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from inspect import iscoroutinefunction
from typing import Any, Concatenate, Final, Literal, ParamSpec, TypeVar, cast, overload

from celery import shared_task

from .base import DeadLetterTask, ReliableTask
from .enqueue.uniqueness import check_unique
from .errors import InvalidDeclaration
from .execution.declaration import effect_attributes, signature_without_self
from .failure.backoff import RetryPolicy
from .failure.budget import check_budget
from .failure.declaration import letter_attributes
from .options import EFFECT_OPTIONS, LETTER_OPTIONS, check_limits, check_name, check_options

P = ParamSpec("P")
R = TypeVar("R")

# What becomes an attribute of the task's class once it is checked together with the function.
_ATTRIBUTES: Final = EFFECT_OPTIONS | LETTER_OPTIONS | {"unique", "budget"}

_shared_task: Any = shared_task  # its stub knows only Celery's own options


@overload
def task(
    name: str,
    /,
    *,
    time_limit: timedelta,
    bind: Literal[True],
    soft_time_limit: timedelta | None = ...,
    retry: RetryPolicy = ...,
    retry_on: tuple[type[Exception], ...] = ...,
    **celery_options: Any,
) -> Callable[[Callable[Concatenate[Any, P], R]], ReliableTask[P, R]]: ...
@overload
def task(
    name: str,
    /,
    *,
    time_limit: timedelta,
    bind: Literal[False] = ...,
    soft_time_limit: timedelta | None = ...,
    retry: RetryPolicy = ...,
    retry_on: tuple[type[Exception], ...] = ...,
    **celery_options: Any,
) -> Callable[[Callable[P, R]], ReliableTask[P, R]]: ...
def task(
    name: str = "",
    /,
    *,
    time_limit: timedelta | None = None,
    soft_time_limit: timedelta | None = None,
    retry: RetryPolicy | None = None,
    retry_on: tuple[type[Exception], ...] = (),
    bind: bool = False,
    **celery_options: Any,
) -> Callable[[Callable[..., R]], ReliableTask[..., R]]:
    """Declare a task that any app can publish by *name*.

        @task("orders.charge_payment", time_limit=timedelta(seconds=60), retry=RetryPolicy.after(...))
        def charge_payment(order_id: int) -> None: ...

    name: the wire name, `<domain>.<verb_object>`; it never changes.
    time_limit: the child that runs the job is killed after it; *soft_time_limit* raises inside the job before that
        (default: nine tenths of it).
    retry: when `Transient`, or one of *retry_on*, is tried again (default: 5 times, exponentially, with full jitter).
    bind: the task itself is the first argument.
    celery_options: `effect`, `once`, `budget` and `unique`, as told at the top of this module, and anything else that
        Celery's `task` takes. `max_retries` alone stands for `retry=RetryPolicy(max_retries=...)`.

    Raises UnknownOption, RefusedOption or InvalidDeclaration on the declaring line.
    """
    wire_name = check_name(name)
    check_options(wire_name, celery_options)
    _check_retry_on(wire_name, retry_on)
    hard, soft = check_limits(wire_name, time_limit, soft_time_limit)
    policy = _policy(wire_name, retry, celery_options)
    base = _base(wire_name, celery_options)
    own = {option: celery_options.pop(option) for option in _ATTRIBUTES & celery_options.keys()}

    def declare(function: Callable[..., R]) -> ReliableTask[..., R]:
        declared = _shared_task(
            name=wire_name,
            base=base,
            bind=bind,
            time_limit=hard,
            soft_time_limit=soft,
            max_retries=policy.max_retries,
            retry_policy=policy,
            retry_on=retry_on,
            **_own_attributes(wire_name, function, own, bind=bind, time_limit=timedelta(seconds=hard)),
            **celery_options,
        )(function)
        return cast("ReliableTask[..., R]", declared)

    return declare


def _own_attributes(
    task: str, function: Callable[..., Any], options: dict[str, Any], *, bind: bool, time_limit: timedelta
) -> dict[str, Any]:
    """Attributes of the task's class for what is declared about its effect, uniqueness, budget and death."""
    if iscoroutinefunction(function):
        raise InvalidDeclaration(task, "is `async def`, which Celery would never await: use `def`")
    left = dict(options)
    attributes = effect_attributes(task, function, left, bind=bind, time_limit=time_limit)
    if (unique := left.get("unique")) is not None:
        check_unique(task, unique, signature_without_self(function, bind=bind))
        attributes["unique"] = unique
    if (budget := left.get("budget")) is not None:
        check_budget(task, budget)
        attributes["budget"] = budget
    return attributes | letter_attributes(task, left)


def _base(task: str, celery_options: dict[str, Any]) -> type[ReliableTask[..., Any]]:
    """The base class, taken out of *celery_options*."""
    base = celery_options.pop("base", DeadLetterTask)
    if not (isinstance(base, type) and issubclass(base, ReliableTask)):
        raise InvalidDeclaration(task, f"base must derive from ReliableTask, not be {base!r}")
    return base


def _policy(task: str, retry: object, celery_options: dict[str, Any]) -> RetryPolicy:
    """The policy out of `retry=`, or of Celery's `max_retries`, which is taken out of *celery_options*."""
    if "max_retries" in celery_options:
        if retry is not None:
            raise InvalidDeclaration(task, "says twice how often to retry: leave max_retries to the RetryPolicy")
        most = celery_options.pop("max_retries")
        if not isinstance(most, int) or most < 0:
            raise InvalidDeclaration(task, f"max_retries must be a number of 0 or more, not {most!r}")
        return RetryPolicy(max_retries=most)
    if retry is None:
        return RetryPolicy()
    if not isinstance(retry, RetryPolicy):
        raise InvalidDeclaration(task, f"retry must be a RetryPolicy, not {retry!r}")
    return retry


def _check_retry_on(task: str, retry_on: object) -> None:
    if not isinstance(retry_on, tuple) or not all(
        isinstance(kind, type) and issubclass(kind, Exception) for kind in retry_on
    ):
        raise InvalidDeclaration(task, f"retry_on must be a tuple of exception classes, not {retry_on!r}")
