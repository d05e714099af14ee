"""Tasks that stop in the middle of their body until a test lets them go on, or ends them there."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from project.local.waiting import wait_until
from tasks import RetryPolicy, Settled, Transient, task
from tests.e2e.effects.sample_tasks import note

LIMIT: Final = timedelta(seconds=60)


def gate_of(diary: str) -> Path:
    """The file that lets bodies go on once it is there."""
    return Path(f"{diary}.gate")


def child_of(diary: str) -> Path:
    """The file that holds the number of the process that runs the body."""
    return Path(f"{diary}.child")


def held(diary: str, what: str) -> str:
    """Tell who runs it, wait for the gate, and act."""
    child_of(diary).write_text(str(os.getpid()))
    assert wait_until(gate_of(diary).exists, within=LIMIT)
    note(diary, what)
    return what


def asked(key: str) -> Settled | None:
    """Whether the effect is in the diary, which stands for the provider's books."""
    diary, what = key.split("|")
    done = Path(diary).exists() and what in Path(diary).read_text().splitlines()
    return Settled("found by asking") if done else None


@task("sample.hold_inside", time_limit=LIMIT, effect="database", once="{diary}|{what}")
def hold_inside(diary: str, what: str, comment: str = "") -> str:
    return held(diary, what)


@task("sample.hold_outside", time_limit=LIMIT, effect="external", once="{diary}|{what}", reconcile=asked)
def hold_outside(diary: str, what: str, comment: str = "") -> str:
    return held(diary, what)


@task("sample.act_and_vanish", time_limit=LIMIT, effect="external", once="{diary}|{what}", reconcile=asked)
def act_and_vanish(diary: str, what: str) -> str:
    """Act, then stay there: what the provider did is on no record of ours yet."""
    note(diary, what)
    child_of(diary).write_text(str(os.getpid()))
    assert wait_until(gate_of(diary).exists, within=LIMIT)
    return what


@task("sample.err_twice", time_limit=LIMIT, effect="external", once="{diary}|{what}", on_unknown="retry")
def err_twice(diary: str, what: str) -> str:
    return str(act_and_vanish.run(diary, what))


@task("sample.err_never", time_limit=LIMIT, effect="external", once="{diary}|{what}", on_unknown="dead")
def err_never(diary: str, what: str) -> str:
    return str(act_and_vanish.run(diary, what))


def failing_at_first(retries: int, diary: str, what: str) -> str:
    """Fail cleanly twice, then act."""
    if retries < 2:
        raise Transient("not yet")
    note(diary, what)
    return what


PATIENT: Final = RetryPolicy.after(timedelta(seconds=1), timedelta(seconds=1))


@task("sample.fail_inside", time_limit=LIMIT, retry=PATIENT, effect="database", once="{diary}|{what}", bind=True)
def fail_inside(self: Any, diary: str, what: str) -> str:
    return failing_at_first(self.request.retries, diary, what)


@task("sample.fail_outside", time_limit=LIMIT, retry=PATIENT, effect="external", once="{diary}|{what}", bind=True)
def fail_outside(self: Any, diary: str, what: str) -> str:
    return failing_at_first(self.request.retries, diary, what)
