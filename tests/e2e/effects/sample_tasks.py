"""Tasks that write down what they did, one row of a file each, for workers that a test starts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from celery import shared_task

from tasks import Permanent, RetryPolicy, Transient, task

SECOND = timedelta(seconds=1)


def note(diary: str, what: str) -> None:
    """Append one line, in one write, so that processes don't mix theirs."""
    with Path(diary).open("a") as file:
        file.write(what + "\n")


@task("sample.write_note", time_limit=10 * SECOND)
def write_note(diary: str, what: str) -> str:
    note(diary, what)
    return what


@task("sample.write_note_once", time_limit=10 * SECOND, effect="database", once="note:{what}")
def write_note_once(diary: str, what: str) -> str:
    note(diary, what)
    return what


@task("sample.call_outside", time_limit=10 * SECOND, effect="external", once="call:{what}", on_unknown="retry")
def call_outside(diary: str, what: str) -> str:
    note(diary, what)
    return what


@task("sample.fail_at_first", time_limit=10 * SECOND, retry=RetryPolicy.after(SECOND, SECOND), bind=True)
def fail_at_first(self: Any, diary: str, times: int) -> None:
    note(diary, f"attempt {self.request.retries}")
    if self.request.retries < times:
        raise Transient("not yet")


@task("sample.fail", time_limit=10 * SECOND)
def fail(diary: str) -> None:
    note(diary, "failing")
    raise Permanent("never")


@shared_task(name="sample.plain_note")
def plain_note(diary: str, what: str) -> None:
    note(diary, what)
