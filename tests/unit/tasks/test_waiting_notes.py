"""That a message waits and that it starts may be told by different threads: the start must have the last word."""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.delivery.keeper import Keeper
from tasks.delivery.lease import Held, Lease
from tasks.delivery.starts import Starts
from tasks.delivery.transport import LeasePoller

LENGTH = timedelta(seconds=30)


@pytest.fixture
def lease() -> Lease:
    """It has asked for messages."""
    lease = Lease(LENGTH)
    lease.asked = True
    return lease


class _Told:
    """The consumer's connection."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def start(self, connection: Any, lease: Lease, numbers: list[int]) -> None:
        self.numbers += numbers


def _waiting(lease: Lease) -> Held:
    held = lease.take_up(1, b"", counted=False, waiting=True)
    lease.chores.append(("waiting", 1, "-"))
    return held


def _start(held: Held, told: _Told) -> None:
    """As `LeasedMessage.starting` does."""
    held.started, held.waiting = True, False
    channel = SimpleNamespace(
        line=told, closed=False, keeper=SimpleNamespace(notice=lambda: None), open_connection=lambda lease: object()
    )
    Starts(channel).add(held)


def _keeper(answer: Any) -> Keeper:
    keeper = Keeper(SimpleNamespace(), SimpleNamespace(), prefix="", length=LENGTH, deaths_max=3)  # type: ignore[arg-type]
    keeper._others = SimpleNamespace(run=answer)  # type: ignore[assignment]
    return keeper


def test_a_start_that_overtakes_the_keepers_note_is_told_after_it(lease: Lease) -> None:
    """Else the server believes that it waits, and never counts the death of its worker against it."""
    held, told = _waiting(lease), _Told()

    def answer(*_: Any) -> int:
        _start(held, told)
        return 1

    _keeper(answer)._tell_of(lease)
    assert told.numbers == [1]
    assert lease.chores == deque([("started", 1, "-")])


def test_a_note_that_failed_is_not_told_once_the_message_has_started(lease: Lease) -> None:
    """It may have been heard all the same."""
    held = _waiting(lease)

    def answer(*_: Any) -> int:
        _start(held, _Told())
        raise ConnectionError

    with pytest.raises(ConnectionError):
        _keeper(answer)._tell_of(lease)
    assert lease.chores == deque([("started", 1, "-")])


def test_a_start_is_told_although_the_note_is_still_to_be_told_again(lease: Lease) -> None:
    """Only its answer may have been lost."""
    held, told = _waiting(lease), _Told()
    lease.put_back(lease.take_acks(), lease.take_chores())
    _start(held, told)
    assert told.numbers == [1]
    assert lease.chores == deque()


@pytest.mark.parametrize("unread", [True, False])
def test_an_answer_that_only_has_not_been_read_is_no_reason_to_connect_anew(unread: bool) -> None:
    """A job of the solo pool holds the event loop for as long as it runs."""
    cut: list[bool] = []
    connection = SimpleNamespace(disconnect=lambda: cut.append(True))
    line = SimpleNamespace(overdue=True, pending=lambda _: unread)
    poller = LeasePoller()
    poller._channels = [SimpleNamespace(line=line, client=SimpleNamespace(connection=connection))]
    poller.maybe_restore_messages()
    assert cut == ([] if unread else [True])
