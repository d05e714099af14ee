"""A delivery that goes one step at a time: real attempts, each in a thread with a database connection of its own.

It pauses wherever the toolkit could be killed: at each crash point and around each call to the ledger. There a test
lets it go on, leaves it frozen, or lets it die.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from django.db import connection

from tasks import ReliableTask, Transient, crashpoints
from tasks.execution import effects
from tests.concurrency import Connections

STUCK_AFTER = 60
CONNECTIONS = Connections()
_current = threading.local()


class Died(BaseException):
    """The process is gone: nothing of ours runs any more, and the database rolls back."""


class Delivery:
    """One message in a worker's hands."""

    def __init__(self, task: ReliableTask[..., Any], message: dict[str, Any], plan: str) -> None:
        self.plan, self.outcome = plan, ""
        self.dead = False
        self._task, self._message = task, message
        self._turn, self._rest = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether it is over, one way or the other."""
        return bool(self.outcome)

    def step(self) -> None:
        """Let it go on to its next pause, or its end."""
        if self.ended:
            return
        self._turn.release()
        assert self._rest.acquire(timeout=STUCK_AFTER), "a delivery neither paused nor ended"

    def finish(self) -> None:
        """Let it go on to its end."""
        while not self.ended:
            self.step()

    def die(self) -> None:
        """Kill it where it is."""
        self.dead = True
        self.finish()

    def pause(self) -> None:
        """Called in its thread: wait for the next step."""
        self._rest.release()
        self._wait()

    def _wait(self) -> None:
        self._turn.acquire()
        if self.dead:
            raise Died

    def _run(self) -> None:
        _current.delivery = self
        try:
            self._wait()
            with CONNECTIONS.lent():
                with connection.cursor() as cursor:
                    cursor.execute("SET lock_timeout = '30ms'")
                self._task.push_request(**self._message)
                self._task(*self._message["args"])
            self.outcome = "returned"
        except (Exception, Died) as error:  # noqa: BLE001 -- it is what the test looks at
            self.outcome = type(error).__name__
        finally:
            self._rest.release()


def current() -> Delivery | None:
    """The delivery whose thread this is."""
    return getattr(_current, "delivery", None)


def pause() -> None:
    """Pause the delivery whose thread this is, if it is one's."""
    if delivery := current():
        delivery.pause()


def reach(point: str, task: str | None) -> None:
    """Stands for `crashpoints.reach`."""
    pause()
    delivery = current()
    if delivery and (delivery.plan, point) == ("fail at the end", "before_commit"):
        raise Transient(point)


class SteppedLedger:
    """The ledger, with a pause before and after each call. *completed*: told of each completion that was accepted."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        call: Callable[..., Any] = getattr(self._ledger, name)

        def paused(*args: Any, **kwargs: Any) -> Any:
            pause()
            answer = call(*args, **kwargs)
            pause()
            return answer

        return call if name == "once" else paused


@contextmanager
def stepped() -> Iterator[None]:
    """Within it, attempts pause."""
    with (
        patch.object(crashpoints, "reach", reach),
        patch.object(effects, "LEDGER", SteppedLedger(effects.LEDGER)),
    ):
        yield
