"""Each guard of the claim, alone: who may ask, what is given, and what is never given twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from redis import Redis

from tasks.delivery.intake import TOO_LARGE, intake_peek
from tasks.delivery.lease import Lease
from tasks.delivery.line import LeaseGone, Line, Order
from tasks.delivery.names import COUNTS, EXPIRED, WAITING
from tests.integration.delivery.owner import LEASE, Owner


def put(client: Redis, *messages: str, key: str = "q") -> None:
    """As kombu publishes."""
    client.lpush(key, *messages)


def taken(answer: Any) -> list[str]:
    """The messages in what a claim brought, in order."""
    return [one.raw.decode() for one in answer]


def test_nobody_takes_anything_under_a_lease_that_the_server_does_not_know(client: Redis) -> None:
    """Else it would be held by somebody who is never looked after, and so by nobody."""
    put(client, "a")
    owner = Owner(client)
    owner.lease.begun = True
    with pytest.raises(LeaseGone):
        owner.claim()
    assert client.lrange("q", 0, -1) == [b"a"]
    assert not client.exists(f"tasks.held:{owner.name}")


def test_who_has_lost_a_lease_does_not_begin_it_anew(client: Redis) -> None:
    """Its first answer was lost, and it was frozen: what it took then is being given back right now."""
    put(client, "a", "b")
    owner = Owner(client)
    owner.ask(1)
    client.zrem("tasks.owners", owner.name)
    client.zadd(EXPIRED, {owner.name: 5})
    assert owner.ask() == [-1]
    assert client.lrange("q", 0, -1) == [b"b"]


def test_an_answer_that_is_lost_is_given_again_and_nothing_more_than_there_was_room_for(client: Redis) -> None:
    """The same messages with the same numbers; then what is new."""
    put(client, "a", "b", "c")
    owner = Owner(client)
    owner.ask(2)
    assert owner.ask(2)[0] == 1, "there may be more"
    again = owner.claim(2)
    assert taken(again) == ["a", "b"]
    assert {one.queue for one in again} == {"q"}
    assert client.lrange("q", 0, -1) == [b"c"]
    owner.lease.known = 1
    assert [(one.number, one.raw) for one in owner.claim(2)] == [(2, b"b"), (3, b"c")]


def test_what_is_acknowledged_is_gone_and_its_counts_with_it(client: Redis) -> None:
    """And nothing else."""
    put(client, "a", "b")
    owner = Owner(client)
    owner.claim(2)
    client.hset(COUNTS + "of-a", "died", 1)
    owner.claim(1, acks=[(1, "of-a")])
    assert owner.held() == {2}
    assert not client.exists(COUNTS + "of-a")
    owner.claim(1, acks=[(2, "")])
    assert owner.held() == set()


def test_who_only_acknowledges_is_given_nothing_and_not_told_that_there_is_nothing(client: Redis) -> None:
    """Nobody has looked, so the server would not tell of the next push either."""
    put(client, "a", "b")
    owner = Owner(client)
    owner.claim(1)
    assert owner.ask(0, acks=[(1, "")]) == [1]
    assert owner.ask(1, order=Order((), (), (), 0)) == [1]
    assert client.lrange("q", 0, -1) == [b"b"]


def test_a_number_is_never_used_again(client: Redis) -> None:
    """An acknowledgement that comes late would mean another message, and an entry of the intake cover another."""
    owner = Owner(client)
    for turn in range(1, 4):
        put(client, f"m{turn}")
        assert [one.number for one in owner.claim()] == [turn]
        owner.settle(("ack", turn))


def test_messages_that_are_too_large_are_all_kept_whole(client: Redis) -> None:
    """Each under an id of its own, though their owner never hears of them."""
    owner = Owner(client, most_bytes=10)
    for letter in "xyz":
        put(client, letter * 11)
        assert owner.claim() == []
    put(client, "w" * 11, "b" * 10)
    assert taken(owner.claim()) == ["b" * 10]
    entries = intake_peek(client)
    assert [entry.raw.decode() for entry in entries] == [letter * 11 for letter in "xyzw"]
    assert {(entry.reason, entry.queue, entry.delivered, entry.died) for entry in entries} == {(TOO_LARGE, "q", 1, 0)}
    assert len(owner.held()) == 1


def test_the_counts_of_a_message_come_with_it(client: Redis) -> None:
    """A worker knows by them that a message is to run by itself, and a task that it has run before."""
    put(client, "a")
    first = Owner(client)
    first.claim()
    first.settle(("died", 1))
    (again,) = Owner(client).claim()
    assert (again.counts.delivered, again.counts.started, again.counts.died, again.counts.given_back) == (1, 1, 1, 0)


def test_whether_what_is_taken_waits_is_written_in_the_same_step(client: Redis) -> None:
    """If its worker dies now, it has not died."""
    put(client, "a", "b")
    owner = Owner(client)
    owner.claim(1, waiting=True)
    owner.claim(1, waiting=False)
    assert client.smembers(WAITING + owner.name) == {b"1"}


def test_the_more_urgent_comes_first_and_queues_take_turns(client: Redis) -> None:
    """All of one priority before any of the next; three of one queue, one of the other, beginning where it is told."""
    for key in ("q", "r", "q3", "r3"):
        put(client, *(f"{key}.{number}" for number in range(4)), key=key)
    order = Order(("q", "r"), (b"q", b"r", b"q3", b"r3"), (3, 1), 1)
    expected = ["r.0", "q.0", "q.1", "q.2", "r.1", "q.3", "r.2", "r.3", "r3.0", "q3.0"]
    claimed = Owner(client).claim(10, order=order)
    assert taken(claimed) == expected
    assert [one.queue for one in claimed] == [name[0] for name in expected]


def test_a_key_that_is_no_list_keeps_no_other_queue_from_being_worked_on(client: Redis) -> None:
    """Whoever can write to the server can write anything."""
    client.set("q", "not a list")
    put(client, "a", key="r")
    order = Order(("q", "r"), (b"q", b"r"), (1, 1), 0)
    assert taken(Owner(client).claim(order=order)) == ["a"]


@pytest.fixture
def speaking(plain_url: str) -> Iterator[Any]:
    """A connection in which the server may speak first."""
    with closing(Redis.from_url(plain_url, protocol=3, single_connection_client=True)) as client:
        yield client.connection


def test_where_less_was_found_than_there_was_room_for_the_server_tells_of_the_next_push(
    client: Redis, speaking: Any
) -> None:
    """To any of the lists. A worker that isn't told would sleep beside its work."""
    put(client, "a", "b", key="r")
    line: Any = Line(prefix="", deaths_max=3, most_bytes=1000)
    lease = Lease(LEASE)
    order = Order(("q", "r"), (b"q", b"r"), (1, 1), 0)
    line.greet(speaking)
    line.claim(speaking, lease, order, 1, waiting=False)
    assert taken(line.read(speaking)) == ["a"]
    assert not line.armed, "there may be more"
    lease.known = 1
    line.claim(speaking, lease, order, 2, waiting=False)
    assert taken(line.read(speaking)) == ["b"]
    assert line.armed, "there was less"
    put(client, "c", key="r")
    assert speaking.can_read(timeout=30)
    assert line.read(speaking) == []
    assert not line.armed


def test_an_answer_that_was_asked_for_by_other_lists_promises_nothing(client: Redis, speaking: Any) -> None:
    """A queue has been added meanwhile. Its messages would wait for the next look."""
    line: Any = Line(prefix="", deaths_max=3, most_bytes=1000)
    lease = Lease(LEASE)
    line.greet(speaking)
    line.claim(speaking, lease, Order(("q",), (b"q",), (1,), 0), 1, waiting=False)
    line.disarm()
    assert taken(line.read(speaking)) == []
    assert not line.armed
    line.claim(speaking, lease, Order(("q", "r"), (b"q", b"r"), (1, 1), 0), 1, waiting=False)
    line.read(speaking)
    assert line.armed


def test_what_is_about_to_run_is_told_in_front_of_the_claim_that_goes_out_then(client: Redis, speaking: Any) -> None:
    """In one write. If nobody answers, it is told again: a death of this worker is to count against it."""
    put(client, "a", "b", "c")
    line: Any = Line(prefix="", deaths_max=3, most_bytes=1000)
    lease, order = Lease(LEASE), Order(("q",), (b"q",), (1,), 0)
    line.greet(speaking)
    line.claim(speaking, lease, order, 3, waiting=True)
    for one in line.read(speaking):
        lease.take_up(one.number, one.raw, counted=False, waiting=True)
    lease.known = 3
    waiting = f"{WAITING}{lease.owner}"
    assert client.smembers(waiting) == {b"1", b"2", b"3"}
    line.claim(speaking, lease, order, 1, waiting=True, starting=[1, 3])
    line.read(speaking)
    assert line.buffered(speaking), "both answers came at once, and nothing tells of the second"
    line.read(speaking)
    assert not line.buffered(speaking)
    assert client.smembers(waiting) == {b"2"}
    line.claim(speaking, lease, order, 1, waiting=True, starting=[2])
    line.broken()
    assert ("started", 2, "-") in lease.chores


def test_more_lists_than_lua_can_take_at_once_are_all_looked_at(client: Redis) -> None:
    """A queue for each customer, and a list for each urgency."""
    put(client, "a", key="k9999")
    lists = tuple(f"k{number}".encode() for number in range(10_000))
    order = Order(tuple(map(bytes.decode, lists)), lists, (1,) * len(lists), 0)
    assert taken(Owner(client).claim(order=order)) == ["a"]
