"""Tasks that die, each in its own way."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any, Final

from celery import chain
from celery.exceptions import Reject

from tasks import Batch, Permanent, RetryPolicy, Transient, task
from tests.e2e.effects.sample_tasks import note

LIMIT: Final = timedelta(seconds=20)
SHORT: Final = timedelta(seconds=1)


@task("dying.note", time_limit=LIMIT)
def take_note(diary: str, what: str) -> str:
    """What is to follow, or to be called when something dies."""
    note(diary, what)
    return what


@task("dying.tell", time_limit=LIMIT)
def tell(job: str, diary: str, what: str) -> None:
    """An error callback, which Celery gives the id of the job that died."""
    note(diary, f"{what} {job}")


def noted(letter: Any, arguments: dict[str, Any]) -> None:
    """An `on_death` hook."""
    take_note.enqueue(arguments["diary"], f"on_death {letter.task_id}")


@task("dying.permanent", time_limit=LIMIT, on_death=noted, secret=("pin",))
def fail_permanently(diary: str, pin: str = "") -> None:
    raise Permanent(f"no order 4711 for the PIN {pin!r}")


@task("dying.transient", time_limit=LIMIT, retry=RetryPolicy.after(SHORT, SHORT))
def fail_again_and_again() -> None:
    raise Transient("the provider is away")


@task("dying.unforeseen", time_limit=LIMIT)
def divide(by: int) -> float:
    return 1 / by


@task("dying.soft", time_limit=LIMIT, soft_time_limit=SHORT)
def take_too_long() -> None:
    Event().wait(15)


@task("dying.hard", time_limit=SHORT * 4, soft_time_limit=SHORT * 2)
def take_too_long_and_not_listen() -> None:
    until = time.monotonic() + 15
    while time.monotonic() < until:
        try:
            Event().wait(15)
        except BaseException:  # noqa: BLE001, S112 -- that is what it is here for
            continue


@task("dying.kill_child", time_limit=LIMIT, on_death=noted)
def kill_the_child(diary: str, by: str) -> None:
    note(diary, f"{by} {os.getpid()}")
    if by == "exit":
        os._exit(3)
    os.kill(os.getpid(), signal.SIGKILL)


@task("dying.kill_worker", time_limit=SHORT * 2, soft_time_limit=SHORT * 1.5)
def kill_the_worker(diary: str) -> None:
    note(diary, "killed the worker")
    os.killpg(os.getpgid(0), signal.SIGKILL)


@task("dying.expire", time_limit=LIMIT)
def be_late(diary: str) -> None:
    note(diary, "was in time")


@task("dying.revoked_kept", time_limit=LIMIT, keep_revoked=True)
def be_revoked() -> None:
    """Never run."""


@task("dying.revoked", time_limit=LIMIT)
def be_revoked_unkept() -> None:
    """Never run."""


@task("dying.reject", time_limit=LIMIT)
def reject() -> None:
    raise Reject("not for me", requeue=False)


@task("dying.memory", time_limit=LIMIT)
def want_too_much() -> None:
    raise MemoryError("there is not so much")


@task("dying.unknown_outcome", time_limit=LIMIT, effect="external", once="dying:{diary}", retry=RetryPolicy.never())
def act_and_vanish(diary: str) -> None:
    note(diary, f"acted in {os.getpid()}")
    os._exit(4)


@task("dying.in_batch", time_limit=LIMIT)
def start_a_batch(diary: str) -> str:
    """A batch of two, one of which dies in the second link of its chain."""
    with Batch(success=take_note.si(diary, "success"), death=take_note.si(diary, "death")) as batch:
        batch.add(take_note.si(diary, "member"))
        batch.add(chain(take_note.si(diary, "first link"), divide.si(0), take_note.si(diary, "last link")))
    return batch.id


def gone_through(path: str) -> list[str]:
    """The diary's lines."""
    return Path(path).read_text().splitlines() if Path(path).exists() else []


@task("dying.hold", time_limit=LIMIT * 3)
def hold(diary: str, gate: str) -> None:
    """Run until the gate is there."""
    note(diary, "began")
    while not Path(gate).exists():
        Event().wait(0.05)
    note(diary, "ended")
