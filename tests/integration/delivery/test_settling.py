"""Each guard of what an owner does with a message that is not done: who may, where it goes, who is blamed."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from tasks.delivery.inspection import lists_in_hand
from tasks.delivery.intake import DIED_TOO_OFTEN, NO_LIST, UNDECODABLE, intake_peek
from tasks.delivery.line import Order
from tasks.delivery.names import COUNTED, COUNTS, EXPIRED, LATER, LATER_MESSAGES, OWNERS, WAITING
from tests.integration.delivery.owner import Owner


def with_messages(client: Redis, *messages: str, waiting: bool = False, deaths_max: int = 3) -> Owner:
    """An owner who holds *messages*, numbered from 1."""
    client.lpush("q", *messages)
    owner = Owner(client, deaths_max=deaths_max)
    assert [one.raw.decode() for one in owner.claim(len(messages), waiting=waiting)] == list(messages)
    return owner


def counts(client: Redis) -> list[dict[str, int]]:
    """Of every message that has any."""
    found: list[dict[str, int]] = []
    for key in client.scan_iter(COUNTS + "*"):
        fields: Any = client.hgetall(key)
        found.append({name.decode(): int(value) for name, value in fields.items()})
        assert client.pttl(key) > 0
    return found


@pytest.mark.parametrize("what", ["ack", "back", "died", "intake", "later", "waiting", "started", "beyond"])
def test_whose_lease_is_over_does_nothing_with_what_he_held(client: Redis, what: str) -> None:
    """It may be somebody else's by now."""
    owner = with_messages(client, "a", "b")
    client.zrem(OWNERS, owner.name)
    client.zadd(EXPIRED, {owner.name: 5})
    before = client.dump(f"tasks.held:{owner.name}"), client.keys()
    assert owner.settle((what, 1, "1")) == -1
    assert (client.dump(f"tasks.held:{owner.name}"), client.keys()) == before


@pytest.mark.parametrize("what", ["ack", "back", "died", "intake", "later"])
def test_what_is_told_twice_is_done_once(client: Redis, what: str) -> None:
    """Its answer was lost, or somebody tells it of a message that is not held at all."""
    owner = with_messages(client, "a", waiting=True)
    for _ in range(2):
        assert owner.settle((what, 1, "1"), (what, 7, "1")) == 1
    places = client.llen("q"), len(intake_peek(client)), client.zcard(LATER), client.hlen(LATER_MESSAGES)
    assert places == {"ack": (0, 0, 0, 0), "intake": (0, 1, 0, 0), "later": (0, 0, 1, 1)}.get(what, (1, 0, 0, 0))
    assert owner.held() == set()
    assert not client.exists(WAITING + owner.name)
    assert all(sum(one.values()) - one["started"] == 2 for one in counts(client)), "delivered once, and one of two ends"


def test_what_is_given_back_comes_first_and_in_its_order(client: Redis) -> None:
    """Also what has killed: it isn't put behind those that came later."""
    owner = with_messages(client, "a", "b", "c")
    client.lpush("q", "d")
    owner.settle(("back", 3), ("died", 2), ("back", 1))
    assert [one.raw for one in Owner(client).claim()] == [b"a", b"b", b"c", b"d"]


def test_started_died_and_given_back_are_counted_apart(client: Redis) -> None:
    """Only deaths may make a dead letter of a message."""
    with_messages(client, "a", waiting=True).settle(("back", 1))
    assert counts(client) == [{"delivered": 1, "started": 0, "died": 0, "given_back": 1}]
    for what, expected in (("back", (2, 1, 0, 2)), ("died", (3, 2, 1, 2))):
        owner = Owner(client)
        owner.claim(waiting=True)
        owner.settle(("started", 1))
        owner.settle((what, 1))
        assert counts(client) == [dict(zip(("delivered", "started", "died", "given_back"), expected, strict=True))]
    owner = Owner(client)
    owner.claim()
    owner.settle(("waiting", 1))
    owner.settle(("back", 1))
    assert counts(client) == [{"delivered": 4, "started": 2, "died": 1, "given_back": 3}]
    assert int(client.pttl(COUNTED)) > 0


def test_the_last_death_that_is_allowed_sends_a_message_to_the_intake_and_forgets_its_counts(client: Redis) -> None:
    """Who redrives it begins anew."""
    client.lpush("q", "a")
    for deaths in range(1, 3):
        owner = Owner(client, deaths_max=2)
        owner.claim()
        owner.settle(("died", 1))
        assert client.llen("q") == 2 - deaths
    (entry,) = intake_peek(client)
    assert (entry.id, entry.raw, entry.queue, entry.owner) == (f"{owner.name}:1", b"a", "q", owner.name)
    assert (entry.reason, entry.delivered, entry.started, entry.died, entry.given_back) == (DIED_TOO_OFTEN, 2, 2, 2, 0)
    assert counts(client) == []


def test_without_a_limit_nothing_dies_too_often(client: Redis) -> None:
    """`deaths_max=0`: somebody else counts."""
    client.lpush("q", "a")
    for _ in range(4):
        owner = Owner(client, deaths_max=0)
        owner.claim()
        owner.settle(("died", 1))
    assert client.llen("q") == 1
    owner = Owner(client, deaths_max=3)
    owner.claim()
    owner.settle(("back", 1))
    assert client.llen("q") == 1, "where there is a limit, it is looked at when a message dies"


def test_what_is_refused_goes_to_the_intake_whole_and_with_its_reason(client: Redis) -> None:
    """This time is counted, too."""
    with_messages(client, "a").settle(("died", 1))
    owner = Owner(client)
    owner.claim()
    owner.settle(("intake", 1, UNDECODABLE))
    (entry,) = intake_peek(client)
    assert (entry.reason, entry.raw, entry.delivered, entry.died) == (UNDECODABLE, b"a", 2, 1)
    assert owner.held() == set()
    assert counts(client) == []


def test_everything_is_under_the_prefix_and_the_intake_knows_the_queue_without_it(client: Redis) -> None:
    """Two projects share a server by `global_keyprefix`."""
    client.lpush("shop:q", "a", "b")
    owner = Owner(client, prefix="shop:", deaths_max=1)
    owner.claim(order=Order(("q",), (b"shop:q",), (1,), 0), waiting=True)
    owner.settle(("died", 1), ("later", 2, "3600000"))
    owner.renew()
    assert [entry.queue for entry in intake_peek(client, prefix="shop:")] == ["q"]
    assert lists_in_hand(client, prefix="shop:") == {"q": 1}
    assert all(key.startswith(b"shop:tasks.") for key in client.scan_iter())


def test_what_is_far_from_due_waits_in_the_schedule_alone(client: Redis) -> None:
    """It has no place in a worker, and comes when its time has come and no earlier."""
    owner = with_messages(client, "a", "b")
    seconds, micro = client.time()
    owner.settle(("later", 1, "3600000"), ("later", 2, "1"))
    assert owner.held() == set()
    due_at: Any = client.zscore(LATER, f"{owner.name}:1")
    assert -1 < due_at - (seconds * 1000 + micro / 1000 + 3_600_000) < 60_000
    client.lpush("q", "c")
    client.zadd(LATER, {f"{owner.name}:2": 1})
    owner.renew()
    assert client.lrange("q", 0, -1) == [b"c", b"b"], "it has waited longer"
    assert client.hkeys(LATER_MESSAGES) == client.zrange(LATER, 0, -1) == [f"{owner.name}:1".encode()]


def test_what_a_closed_channel_never_heard_of_goes_back_without_blame(client: Redis) -> None:
    """In its order; what the channel has heard of goes on running."""
    owner = with_messages(client, "a", "b", "c", "d")
    owner.settle(("beyond", 2))
    assert owner.held() == {1, 2}
    assert owner.ask(2, acks=[(2, "")]) == [1], "a claim that was on its way: nobody would hear of what it brings"
    assert owner.held() == {1}
    assert client.lrange("q", 0, -1) == [b"d", b"c"]
    assert counts(client) == [{"delivered": 1, "started": 0, "died": 0, "given_back": 1}] * 2
    assert client.smembers(WAITING + owner.name) == {b"closed"}
    owner.renew(what="end")
    assert not client.exists(WAITING + owner.name)


def test_an_acknowledgement_takes_the_counts_along(client: Redis) -> None:
    """They are of no use any more, and would be there for two weeks."""
    owner = with_messages(client, "a", "b")
    client.hset(COUNTS + "of-a", "died", 1)
    client.hset(COUNTS + "-", "died", 1)
    owner.settle(("ack", 1, "of-a"), ("ack", 2))
    assert client.keys(COUNTS + "*") == [(COUNTS + "-").encode()]
    assert owner.held() == set()


@pytest.mark.parametrize("how", ["back", "died", "later", "expired"])
def test_what_has_no_list_to_go_back_to_goes_to_the_intake_and_stops_nobody(client: Redis, how: str) -> None:
    """Somebody has written a value of another kind under the queue's name: else nobody could renew any more."""
    owner, other = with_messages(client, "a"), Owner(client)
    client.set("q", "not a list")
    other.claim()
    if how == "expired":
        owner.expire()
    else:
        assert owner.settle((how, 1, "1")) == 1
        client.zadd(LATER, {f"{owner.name}:1": 1}, xx=True)
    assert other.renew()[2:] == []
    (entry,) = intake_peek(client)
    assert (entry.reason, entry.raw, entry.queue) == (NO_LIST, b"a", "q")
    assert not client.exists(LATER, LATER_MESSAGES)
    assert owner.held() == set()
