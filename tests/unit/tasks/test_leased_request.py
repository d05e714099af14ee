"""What a request tells its message's channel."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker import state

from tasks.delivery.lease import Lease
from tasks.delivery.message import LeasedMessage
from tasks.delivery.worker import leased_request


class _Message(LeasedMessage):
    """Without a server."""

    def __init__(self, said: list[str]) -> None:
        self.channel = SimpleNamespace(hurry=lambda: said.append("hurry"))


class _Base:
    """What Celery's request does with them."""

    def __init__(self, message: Any, *, task: Any, said: list[str]) -> None:
        self._message, self.task, self._said = message, task, said

    def on_accepted(self, pid: int, time_accepted: float) -> None:
        """Acknowledge, if early."""
        self._said.append("accepted")

    def reject(self, requeue: bool = False) -> None:
        """Tell the message."""
        self._said.append(f"rejected, requeue={requeue}")


@pytest.mark.parametrize(("late", "expected"), [(False, ["accepted", "hurry"]), (True, ["accepted"])])
def test_only_an_early_acknowledgement_is_told_at_once(late: bool, expected: list[str]) -> None:
    """It is there to be told by then."""
    said: list[str] = []
    request = leased_request(_Base)(_Message(said), task=SimpleNamespace(acks_late=late), said=said)
    request.on_accepted(1, 0.0)
    assert said == expected


def test_what_is_not_certainly_ours_goes_back_and_is_not_kept() -> None:
    """The worker was frozen, and has not been told yet whose it is. Its own again, it would hold the job for ever."""
    said: list[str] = []
    lease = Lease(timedelta(0))
    message = _Message(said)
    message.held = lease.take_up(1, b"", counted=False, waiting=True)
    request: Any = leased_request(_Base)(message, task=None, said=said)
    request.id = "frozen"
    state.task_reserved(request)
    assert request.revoked()
    assert said == ["rejected, requeue=True"]
    assert "frozen" not in state.requests
    lease.held.clear()
