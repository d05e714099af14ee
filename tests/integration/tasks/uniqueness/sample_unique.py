"""Unique tasks of every kind, for the tests of uniqueness."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tasks import RetryPolicy, Transient, Unique, task

LIMIT = timedelta(seconds=10)
HOUR = timedelta(hours=1)
WAIT = timedelta(seconds=30)
MAX_WAIT = timedelta(minutes=2)

TRANSIENT = Transient("not yet")

# Called with each run's task id and comment; a test puts something here that notes it, pauses, or raises.
during: list[Callable[[str, str], None]] = []


def body(self: Any, user_id: int, comment: str = "") -> str:
    """What each of them does."""
    for call in during:
        call(str(self.request.id), comment)
    return comment


def declared(name: str, **unique: Any) -> Any:
    """A task that is unique by its user."""
    declare: Any = task(
        f"unique_test.{name}",
        time_limit=LIMIT,
        retry=RetryPolicy.after(LIMIT, LIMIT),
        bind=True,
        unique=Unique(by=("user_id",), **unique),
    )
    return declare(body)


skip_until_finished = declared("skip_until_finished")
skip_until_started = declared("skip_until_started", until="started")
skip_for_an_hour = declared("skip_for_an_hour", until=HOUR)
refuse = declared("refuse", on_conflict="raise")
replace = declared("replace", until="started", on_conflict="replace")
replace_until_finished = declared("replace_until_finished", on_conflict="replace")
debounce = declared("debounce", until="started", on_conflict="debounce", wait=WAIT, max_wait=MAX_WAIT)

SKIPPING = (skip_until_finished, skip_until_started, skip_for_an_hour)
REPLACING = (replace, replace_until_finished, debounce)
ALL = (*SKIPPING, refuse, *REPLACING)


@task("unique_test.plain", time_limit=LIMIT)
def plain(*_: Any) -> None:
    """Not unique."""


@task("unique_test.one_at_all", time_limit=LIMIT, unique=Unique(by=()))
def one_at_all(number: int) -> None:
    """One job of it, whatever the arguments."""


def name_of(unique_task: Any) -> str:
    """For a test's id."""
    return str(unique_task.name).rpartition(".")[2]
