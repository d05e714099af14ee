"""Callers and workers that are each in the middle of something: threads with a database connection of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

from django.db import connection, transaction

from tests.concurrency import Connections
from tests.integration.tasks.uniqueness.deliveries import deliver

T = TypeVar("T")

STUCK_AFTER = 60
CONNECTIONS = Connections()
_current = threading.local()


class Died(BaseException):
    """The process is gone, in the middle of the body."""


class Caller:
    """A program with a transaction open, that waits for nobody longer than 20 ms."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._connected = CONNECTIONS.lent()
        self._atomic: Any = transaction.atomic()
        self.calls: list[tuple[int, str, str, timedelta]] = []  # user, job, comment, and when
        self.is_open = True
        self.call(self._begin)

    @property
    def told(self) -> set[str]:
        """The jobs that it was told of."""
        return {job for _, job, _, _ in self.calls}

    def call(self, call: Callable[[], T]) -> T:
        """Run *call* inside the transaction."""
        return self._pool.submit(call).result(timeout=STUCK_AFTER)

    def end(self, *, commit: bool) -> None:
        """Commit, or roll back."""
        self.is_open = False
        self.call(lambda: self._end(commit=commit))
        self._pool.shutdown()

    def _begin(self) -> None:
        self._connected.__enter__()
        self._atomic.__enter__()
        impatient()

    def _end(self, *, commit: bool) -> None:
        transaction.set_rollback(not commit)
        self._atomic.__exit__(None, None, None)
        self._connected.__exit__(None, None, None)


class Delivery:
    """A worker with a message. It pauses in the body; `outcome` is set when it has ended."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.request, self.outcome = request, ""
        self._plan: Exception | Died | None = None
        self._go_on, self._rests = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._wait()

    def finish(self, plan: Exception | Died | None = None) -> None:
        """Let the body return, or raise *plan*, and wait for the end."""
        if not self.outcome:
            self._plan = plan
            self._go_on.release()
            self._wait()

    def die(self) -> None:
        """Kill the worker."""
        self.finish(Died())

    def pause(self) -> None:
        """Called in the body."""
        self._rests.release()
        self._go_on.acquire()
        if self._plan is not None:
            raise self._plan

    def _wait(self) -> None:
        assert self._rests.acquire(timeout=STUCK_AFTER), "a delivery neither paused nor ended"

    def _run(self) -> None:
        _current.delivery = self
        outcome = "died"
        try:
            with CONNECTIONS.lent():
                impatient()
                outcome = deliver(self.request)
        except Died:
            pass
        finally:
            self.outcome = outcome
            self._rests.release()


def pause(*_: object) -> None:
    """Pause the delivery whose thread this is."""
    _current.delivery.pause()


def impatient() -> None:
    """Wait no longer than 20 ms for a lock on this thread's connection."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '20ms'")
