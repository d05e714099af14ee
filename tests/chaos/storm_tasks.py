"""Jobs of a storm: most of them work, and each of the others dies in its own way."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta
from typing import Any, Final

from celery.exceptions import Reject

from tasks import Permanent, RetryPolicy, Transient, task

LIMIT: Final = timedelta(seconds=30)
SECOND: Final = timedelta(seconds=1)
NEVER: Final = RetryPolicy.never()


@task("storm.work", time_limit=LIMIT, effect="database")
def work(number: int) -> int:
    """What most of them do."""
    return number


@task("storm.permanent", time_limit=LIMIT)
def permanent(number: int) -> None:
    raise Permanent(f"nothing can be done for {number}")


@task("storm.exhausted", time_limit=LIMIT, retry=RetryPolicy.after(SECOND, SECOND))
def exhausted(number: int) -> None:
    raise Transient(f"{number} is away")


@task("storm.error", time_limit=LIMIT)
def error(number: int) -> float:
    return number / 0


@task("storm.soft", time_limit=LIMIT, soft_time_limit=SECOND / 2)
def soft(number: int) -> None:
    signal.pause()


@task("storm.hard", time_limit=SECOND, soft_time_limit=SECOND / 2)
def hard(number: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            signal.pause()
        except BaseException:  # noqa: BLE001, S112 -- that is what it is here for
            continue


@task("storm.child_killed", time_limit=LIMIT)
def child_killed(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@task("storm.child_exits", time_limit=LIMIT)
def child_exits(number: int) -> None:
    os._exit(3)


@task("storm.worker_killed", time_limit=2 * SECOND)
def worker_killed(number: int) -> None:
    os.killpg(os.getpgid(0), signal.SIGKILL)


@task("storm.expired", time_limit=LIMIT)
def expired(number: int) -> None:
    """Comes too late."""


@task("storm.rejected", time_limit=LIMIT)
def rejected(number: int) -> None:
    raise Reject("not for me", requeue=False)


@task("storm.memory", time_limit=LIMIT)
def memory(number: int) -> None:
    raise MemoryError("there is not so much")


@task("storm.unknown_outcome", time_limit=LIMIT, effect="external", retry=NEVER)
def unknown_outcome(number: int) -> Any:
    os._exit(4)
