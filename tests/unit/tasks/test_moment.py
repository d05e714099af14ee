"""When a channel speaks, and what it says of what starts."""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.delivery.channel import LeaseChannel
from tasks.delivery.lease import Lease
from tasks.delivery.moment import PATIENCE, Moment
from tasks.delivery.starts import Starts
from tasks.delivery.worker import Leases


@pytest.fixture
def lease() -> Lease:
    """A new one."""
    return Lease(timedelta(seconds=30))


def test_half_of_what_waits_for_a_process_is_used_up_before_more_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """One message at a time would cost a call each; but nothing is put off for long."""
    now = [0.0]
    monkeypatch.setattr("tasks.delivery.moment.time", SimpleNamespace(monotonic=lambda: now[0]))
    moment = Moment()
    moment.most_waiting = 6
    moment.spoken()
    assert moment.to_ask(0) is None
    assert moment.to_ask(3) == PATIENCE
    assert moment.to_ask(4) == 0
    now[0] += PATIENCE
    assert moment.to_ask(3) == 0


def test_an_idle_process_is_reason_enough_to_ask_at_once() -> None:
    """What fills the room may be waiting for a rate limit."""
    moment = Moment()
    moment.most_waiting = 6
    moment.spoken()
    moment.has_idle_process = lambda: True
    assert moment.to_ask(1) == 0


@pytest.mark.parametrize(("one_by_one", "most_waiting"), [(False, 6), (True, 0)])
def test_a_worker_that_fetches_nothing_beforehand_asks_as_soon_as_there_is_room(
    one_by_one: bool, most_waiting: int
) -> None:
    """`worker_disable_prefetch` leaves room for one message at a time, which would never be half of what may wait."""
    channel = SimpleNamespace(moment=Moment())
    consumer = SimpleNamespace(
        app=SimpleNamespace(conf=SimpleNamespace(worker_disable_prefetch=one_by_one)),
        connection=SimpleNamespace(default_channel=channel),
        initial_prefetch_count=8,
        pool=SimpleNamespace(num_processes=2),
    )
    events = SimpleNamespace(begin=lambda: None)
    step: Any = SimpleNamespace(_checked=True, dispatch_is_seen=False, events=events)
    Leases.start(step, consumer)
    assert channel.moment.most_waiting == most_waiting


def test_acknowledgements_of_a_busy_worker_wait_unless_it_acknowledges_early(lease: Lease) -> None:
    """Anything else is told at once."""
    moment = Moment()
    lease.ack(lease.take_up(1, b"", counted=False, waiting=False))
    assert not moment.to_tell(lease, busy=True)
    assert moment.to_tell(lease, busy=False)
    moment.hurry()
    assert moment.to_tell(lease, busy=True)
    moment.spoken()
    assert not moment.to_tell(lease, busy=True)
    lease.let_go(lease.take_up(2, b"", counted=False, waiting=True), "back")
    assert moment.to_tell(lease, busy=True)


class _Line:
    """Writes down what is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Lease, list[int]]] = []

    def start(self, connection: Any, lease: Lease, numbers: list[int]) -> None:
        self.told.append((lease, numbers))


def _starts(line: _Line, *, connected: bool = True) -> Starts:
    keeper = SimpleNamespace(notice=lambda: None)
    return Starts(
        SimpleNamespace(
            line=line, keeper=keeper, closed=False, open_connection=lambda lease: object() if connected else None
        )
    )


def _gathered(line: _Line, *messages: tuple[Lease, int]) -> Starts:
    """Those of a worker that tells in front of the write to its pool, to which *messages* are about to go."""
    starts = _starts(line)
    starts.gathered = True
    for lease, number in messages:
        starts.add(lease.take_up(number, b"", counted=False, waiting=True))
    return starts


def test_what_starts_in_one_turn_is_told_together_and_under_its_own_lease(lease: Lease) -> None:
    """A message of a former lease may be among them, and numbers begin anew with each."""
    line, former = _Line(), Lease(timedelta(seconds=30))
    starts = _gathered(line, (lease, 1), (former, 1), (lease, 2))
    assert line.told == []
    starts.tell()
    assert line.told == [(lease, [1, 2]), (former, [1])]


def test_what_starts_with_a_claim_is_told_by_it_and_by_nobody_else(lease: Lease) -> None:
    """A claim speaks for its own lease alone."""
    line, former = _Line(), Lease(timedelta(seconds=30))
    starts = _gathered(line, (lease, 1), (former, 1), (lease, 2))
    assert starts.take(lease) == [1, 2]
    assert starts.take(lease) == []
    starts.tell()
    assert line.told == [(former, [1])]


def test_a_claim_carries_what_starts(lease: Lease) -> None:
    """In its own write, and not a word of it is dropped."""
    claims: list[tuple[int, list[int]]] = []
    channel: Any = SimpleNamespace(
        client=SimpleNamespace(connection=None),
        held_under=lambda: lease,
        moment=Moment(),
        turns=SimpleNamespace(queues=(), quanta=tuple, start=0),
        _lists=(),
        room=lambda: 4,
        some_wait=True,
        starts=_gathered(_Line(), (lease, 1), (lease, 2)),
        line=SimpleNamespace(claim=lambda *args, starting, **_: claims.append((args[3], starting))),
    )
    LeaseChannel.speak(channel)
    assert claims == [(4, [1, 2])]


def test_a_message_whose_waiting_was_never_told_needs_no_word_of_its_start(lease: Lease) -> None:
    """If both were told, the older word could come last, and its death would not be counted."""
    line = _Line()
    lease.chores.append(("waiting", 1, "-"))
    _starts(line).add(lease.take_up(1, b"", counted=False, waiting=True))
    assert line.told == []
    assert lease.chores == deque()


def test_without_a_connection_the_start_is_left_to_the_keeper(lease: Lease) -> None:
    """It tells whatever is among the lease's chores."""
    _starts(_Line(), connected=False).add(lease.take_up(1, b"", counted=False, waiting=True))
    assert lease.chores == deque([("started", 1, "-")])
