"""Each guard of the renewal: whose lease goes on, whose ends, and what becomes of what he held."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from redis import Redis

from tasks.delivery.intake import intake_peek
from tasks.delivery.names import EXPIRED, HEARD, HELD, LATER, LATER_MESSAGES, OWNERS, WAITING
from tests.integration.delivery.owner import LEASE, Owner

LEASE_MS = LEASE.total_seconds() * 1000


def put(client: Redis, messages: Sequence[str]) -> None:
    """As kombu publishes."""
    client.lpush("q", *messages)


def now_ms(client: Redis) -> int:
    """By the server's clock."""
    seconds, micro = client.time()
    return int(seconds) * 1000 + int(micro) // 1000


def ends_in(client: Redis, owner: Owner) -> float:
    """Milliseconds until this lease is over."""
    ends_at: Any = client.zscore(OWNERS, owner.name)
    return float(ends_at) - now_ms(client)


def counted(client: Redis, owner: Owner) -> list[tuple[bytes, int, int, int]]:
    """Each message that *owner* is given now, with how often it has started, died and been given back."""
    return [(one.raw, one.counts.started, one.counts.died, one.counts.given_back) for one in owner.claim(100)]


def test_a_renewal_is_for_a_whole_lease_from_now(client: Redis) -> None:
    """And only for who has one."""
    owner, stranger = Owner(client), Owner(client)
    owner.claim()
    client.zadd(OWNERS, {owner.name: now_ms(client) + 1000})
    assert owner.renew()[2:] == []
    assert LEASE_MS - 60_000 < ends_in(client, owner) <= LEASE_MS
    assert stranger.renew()[2:] == [stranger.name.encode()]
    assert client.zscore(OWNERS, stranger.name) is None


def test_a_dead_owners_messages_come_first_in_their_order_and_only_what_had_started_has_died(client: Redis) -> None:
    """Whoever renews next gives them back; nothing of the owner is left."""
    put(client, "abc")
    dead, other = Owner(client), Owner(client)
    dead.claim(2)
    dead.claim(1, waiting=True)
    put(client, "d")
    dead.expire()
    assert other.renew(others=True)[0] == 0
    assert counted(client, other) == [(b"a", 1, 1, 0), (b"b", 1, 1, 0), (b"c", 0, 0, 1), (b"d", 0, 0, 0)]
    assert not client.exists(HELD + dead.name, WAITING + dead.name, EXPIRED)
    assert dead.renew()[2:] == [dead.name.encode()]
    assert client.zscore(OWNERS, dead.name) is None


def test_who_leaves_by_himself_gives_all_back_and_nothing_has_died(client: Redis) -> None:
    """Also what he had started: a deploy is no death."""
    put(client, "ab")
    leaving, other = Owner(client), Owner(client)
    leaving.claim()
    assert leaving.renew(what="end")[2:] == []
    assert not client.exists(HELD + leaving.name, EXPIRED, OWNERS)
    assert counted(client, other) == [(b"a", 1, 0, 1), (b"b", 1, 0, 1)]


def test_a_call_moves_no_more_than_it_may_and_says_that_there_is_more(client: Redis) -> None:
    """A dead owner of ten thousand messages must not hold up the server. What is left isn't anybody's meanwhile."""
    put(client, "abc")
    dead, other = Owner(client), Owner(client)
    dead.claim()
    dead.expire()
    for left in (2, 1, 0):
        assert other.renew(others=True, budget=1)[0] == 1
        assert len(dead.held()) == left
        assert dead.ask() == [-1]
    assert other.renew(others=True, budget=1)[0] == 0
    assert [one.raw for one in other.claim()] == [b"a", b"b", b"c"]


def test_however_many_have_died_each_is_cleared_away_as_fast_as_calls_can_be_made(client: Redis) -> None:
    """A machine with forty workers has gone. The next call is not made a quarter of a lease later, but at once."""
    put(client, [str(number) for number in range(40)])
    dead, other = [Owner(client) for _ in range(40)], Owner(client)
    for one in dead:
        one.claim(1)
        one.expire()
    calls = 1
    while other.renew(others=True)[0]:
        calls += 1
    assert calls > 1
    assert client.llen("q") == 40
    assert not client.exists(EXPIRED, OWNERS)


def test_a_call_takes_the_leases_of_a_hundred_owners_at_most(client: Redis) -> None:
    """It is bounded in that as well."""
    client.zadd(OWNERS, {f"owner {number}": 1 for number in range(101)})
    client.set(HEARD, now_ms(client))
    assert Owner(client).renew(others=True)[:2] == [1, 0]
    assert client.zcard(OWNERS) == 1


def test_the_schedule_is_moved_in_bounded_calls_as_well(client: Redis) -> None:
    """All that is due at midnight is due at once."""
    put(client, "abc")
    owner = Owner(client)
    owner.claim()
    owner.settle(*(("later", number, "3600000") for number in (1, 2, 3)))
    client.zadd(LATER, {f"{owner.name}:{number}": 1 for number in (1, 2, 3)})
    assert owner.renew(budget=2)[0] == 1
    assert client.llen("q") == client.hlen(LATER_MESSAGES) + 1 == client.zcard(LATER) + 1 == 2
    assert owner.renew(budget=2)[0] == 0
    assert client.llen("q") == 3
    assert not client.exists(LATER, LATER_MESSAGES)


@pytest.mark.parametrize("silence", [0.4, 0.6])
def test_after_a_silence_of_half_a_lease_everybody_gets_three_tenths(client: Redis, silence: float) -> None:
    """The server was away, and nobody could renew. After a shorter silence whose lease is over is dead."""
    put(client, "a")
    owner, other = Owner(client), Owner(client)
    owner.claim()
    owner.expire()
    client.set(HEARD, int(now_ms(client) - silence * LEASE_MS))
    other.renew(others=True)
    if silence < 0.5:
        assert owner.held() == set()
    else:
        assert owner.held() == {1}
        assert 0.2 * LEASE_MS < ends_in(client, owner) <= 0.3 * LEASE_MS
        owner.expire()
        other.renew(others=True)
        assert owner.held() == set(), "once, and not each time"
    assert now_ms(client) - int(client.get(HEARD) or 0) < 60_000


def test_the_grace_takes_nothing_from_a_lease_that_is_longer(client: Redis) -> None:
    """It is given to those who need it."""
    owner, other = Owner(client), Owner(client)
    owner.claim()
    client.set(HEARD, 1)
    other.renew(others=True)
    assert ends_in(client, owner) > 0.9 * LEASE_MS


def test_the_answer_says_when_something_is_due_next(client: Redis) -> None:
    """So that nobody looks too late, nor too often."""
    owner, other = Owner(client), Owner(client)
    due_in = partial(other.renew, others=True)
    assert due_in()[1] == -1
    put(client, "ab")
    owner.claim()
    assert LEASE_MS - 60_000 < due_in()[1] <= LEASE_MS
    owner.settle(("later", 1, "7200000"))
    assert LEASE_MS - 60_000 < due_in()[1] <= LEASE_MS
    owner.settle(("later", 2, "1800000"))
    assert 1_740_000 < due_in()[1] <= 1_800_000
    owner.renew(what="end")
    assert 1_740_000 < due_in()[1] <= 1_800_000


def test_a_dead_owner_sends_what_has_killed_too_often_to_the_intake(client: Redis) -> None:
    """In the same step in which it is taken from him."""
    put(client, "a")
    for _ in range(3):
        dead = Owner(client)
        dead.claim()
        dead.expire()
        Owner(client).renew(others=True)
    entries: Any = intake_peek(client)
    assert [(entry.id, entry.raw, entry.died) for entry in entries] == [(f"{dead.name}:1", b"a", 3)]
    assert not client.exists("q")
