"""The lease protocol as a state machine against a real server.

Owners claim, renew, acknowledge, give back, put off, refuse, die, freeze and lose answers in any order that hypothesis
can think of, and a dead owner is cleared away bit by bit while all that goes on. After each step every message is in
exactly one place, owned by one at most, and counted as it should be.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from redis import Redis

from tasks.delivery.lease import Lease
from tasks.delivery.line import LeaseGone, Line, Order
from tasks.delivery.message import Counts
from tasks.delivery.names import EXPIRED, HEARD, INTAKE, INTAKE_FACTS, INTAKE_RAW, LATER, LATER_MESSAGES, OWNERS
from tasks.delivery.scripts import ScriptClient
from tests.servers.embedded import plain

LISTS = ("q", "q:3", "r", "r:3")
ORDER = Order(("q", "r"), (b"q", b"r", b"q:3", b"r:3"), (1, 1), 0)
LEASE = timedelta(hours=1)  # the clock is the server's and can't be turned: a test makes a lease run out by its score
DEATHS_MAX = 3
MOST_BYTES = 100


@dataclass(eq=False)
class Owner:
    """One worker as it sees itself, and what the server really did with it. left: by its own will.

    closed: its channel is; what it claims from then on was on its way.
    """

    lease: Lease = field(default_factory=lambda: Lease(LEASE))
    known: dict[int, bytes] = field(default_factory=dict)
    waiting: set[int] = field(default_factory=set)
    over: bool = False
    left: bool = False
    closed: bool = False


class Protocol(RuleBasedStateMachine):
    """The model: for each message its counts, or that it is done."""

    owners = Bundle("owners")

    @initialize(target=owners, names=st.lists(st.sampled_from(LISTS), min_size=4, max_size=8))
    def begin(self, names: list[str]) -> Owner:
        """A server with some messages, and a worker."""
        self.client = Redis.from_url(plain(os.environ["BROKER_URL"]))
        self.client.flushdb()
        self.scripts = ScriptClient(self.client)
        self.line = Line(prefix="", deaths_max=DEATHS_MAX, most_bytes=MOST_BYTES)
        self.number = 0
        self.alive: set[bytes] = set()
        self.refused: set[bytes] = set()
        self.later: set[bytes] = set()
        self.counts: defaultdict[bytes, Counter[str]] = defaultdict(Counter)
        self.all: list[Owner] = []
        for name in names:
            self._put(name)
        return self._joined()

    def teardown(self) -> None:
        """Close the client."""
        if hasattr(self, "client"):
            self.client.close()

    @rule(target=owners)
    def join(self) -> Owner:
        """A worker starts."""
        return self._joined()

    @rule(name=st.sampled_from(LISTS))
    def publish(self, name: str) -> None:
        """Somebody publishes, as stock kombu does."""
        self._put(name)

    def _joined(self) -> Owner:
        self.all.append(Owner())
        return self.all[-1]

    @rule(name=st.sampled_from(LISTS))
    def publish_too_much(self, name: str) -> None:
        """Somebody publishes what no worker may be given."""
        self._put(name, " " * MOST_BYTES)

    def _put(self, name: str, more: str = "") -> None:
        self.number += 1
        raw = f"message {self.number}{more}".encode()
        self.client.lpush(name, raw)
        self.alive.add(raw)

    @rule(owner=owners, room=st.integers(1, 3), answered=st.booleans(), waiting=st.booleans(), data=st.data())
    def claim(self, owner: Owner, room: int, answered: bool, waiting: bool, data: st.DataObject) -> None:
        """It takes some, and acknowledges some; the answer may be lost, and then it asks again."""
        acked = data.draw(st.sets(st.sampled_from(sorted(owner.known)))) if owner.known else set()
        owner.lease.begun = owner.lease.begun or owner.over  # who heard nothing for a lease's length gives it up
        before = self._held(owner)
        keys, words = self.line.question(owner.lease, ORDER, room, [(number, "") for number in acked], waiting=waiting)
        answer = self.scripts.run("claim", keys, words)
        if owner.over:
            assert answer == [-1]
            return
        for number in acked:
            self.alive.discard(owner.known.pop(number))
        after = self._held(owner)
        assert len(set(after) - set(before)) <= (0 if owner.closed else room)
        if waiting:
            owner.waiting |= set(after) - set(before)
        self.refused |= {raw for raw in self.alive if len(raw) > MOST_BYTES and raw in self._in_intake()}
        if answered:
            for one in self.line.claimed(owner.lease, ORDER, 0.0, answer):
                assert one.number not in owner.known, "it was given twice"
                assert one.counts == self._counts_of(one.raw)
                owner.known[one.number] = one.raw
                owner.lease.known = max(owner.lease.known, one.number)
            assert owner.known == self._held(owner), "an answer leaves nothing behind that its owner hasn't heard of"

    @rule(
        owner=owners,
        what=st.sampled_from(["back", "died", "started", "waiting", "ack", "intake", "later", "beyond"]),
        data=st.data(),
    )
    def settle(self, owner: Owner, what: str, data: st.DataObject) -> None:
        """It tells what became of one, twice: a lost answer is asked for again. "beyond": its channel is closed."""
        if not owner.known:
            return
        number = owner.lease.known if what == "beyond" else data.draw(st.sampled_from(sorted(owner.known)))
        before = self._held(owner)
        detail = {"intake": "undecodable", "later": "3600000"}.get(what, "-")
        for _ in range(2):
            answer = self.scripts.run(
                "settle", self._keys(owner), ["", owner.lease.owner, DEATHS_MAX, what, number, detail]
            )
        assert answer == (-1 if owner.over else 1)
        if owner.over:
            return
        if what == "beyond":
            owner.closed = True
            for unheard in set(before) - set(self._held(owner)):
                assert unheard not in owner.known
                self._handed_back(before[unheard], started=False, died=False)
        elif what == "waiting":
            owner.waiting.add(number)
        elif what == "started":
            owner.waiting.discard(number)
        else:
            self._let_go(owner.known.pop(number), what, started=number not in owner.waiting)

    def _let_go(self, raw: bytes, what: str, *, started: bool) -> None:
        if what in {"back", "died"}:
            self._handed_back(raw, started=started or what == "died", died=what == "died")
        elif what == "ack":
            self.alive.discard(raw)
        else:
            {"intake": self.refused, "later": self.later}[what].add(raw)

    @rule()
    def time_comes(self) -> None:
        """All that was put off is due, and whoever renews brings it."""
        due = cast("list[bytes]", self.client.zrange(LATER, 0, -1))
        if due:
            self.client.zadd(LATER, dict.fromkeys(due, 1))
            while self._renew("renew", budget=1)[0]:
                pass
            self.later.clear()

    @rule(owner=owners)
    def renew(self, owner: Owner) -> None:
        """It renews. Who has lost his lease is told so, and gets nothing."""
        _, _, *lost = self._renew("renew", owner)
        assert (owner.lease.owner.encode() in lost) == (owner.over or not owner.lease.asked)

    @rule(owner=owners, budget=st.integers(1, 3))
    def die_and_expire(self, owner: Owner, budget: int) -> None:
        """Its lease runs out, and any other finds it; what it held is given back bit by bit."""
        if owner.over or not self.client.zscore(OWNERS, owner.lease.owner):
            return
        self.client.set(HEARD, "99999999999999")  # nobody was silent
        self.client.zadd(OWNERS, {owner.lease.owner: 1})
        owner.over = True
        self._renew("renew", budget=budget)

    @rule(budget=st.integers(1, 3))
    def look_after_others(self, budget: int) -> None:
        """Anybody goes on with what is left of the dead."""
        self._renew("renew", budget=budget)

    @rule(owner=owners)
    def wake_up(self, owner: Owner) -> None:
        """It was frozen for longer than its lease, and claims."""
        if not owner.over:
            return
        try:
            self.line.claimed(owner.lease, ORDER, 0.0, self.scripts.run("claim", *self._question(owner)))
        except LeaseGone:
            pass
        else:
            raise AssertionError("who wakes after his lease must not claim under it")

    @rule(owner=owners, budget=st.integers(1, 3))
    def leave(self, owner: Owner, budget: int) -> None:
        """It stops by itself, and gives everything back, perhaps not all at once; nothing has died."""
        if not owner.lease.asked or owner.over:
            return
        owner.over = owner.left = True
        self._renew("end", owner, budget=budget)

    @invariant()
    def each_message_is_in_one_place(self) -> None:
        """Neither in none nor in two, and what is done is nowhere."""
        if not hasattr(self, "client"):
            return
        places: Counter[bytes] = Counter()
        for name in LISTS:
            places.update(cast("list[bytes]", self.client.lrange(name, 0, -1)))
        for owner in self.all:
            places.update(self._held(owner).values())
        later = Counter(_raw(record) for record in cast("list[bytes]", self.client.hvals(LATER_MESSAGES)))
        places.update(later)
        in_intake = Counter(self._in_intake())
        places.update(in_intake)
        assert places == Counter(self.alive)
        assert set(later) == self.later
        assert self.client.zcard(LATER) == len(self.later)
        dead = {raw for raw, counts in self.counts.items() if counts["died"] >= DEATHS_MAX}
        assert set(in_intake) == (dead | self.refused) & self.alive
        assert self.client.zcard(INTAKE) == self.client.hlen(INTAKE_FACTS) == len(dead | self.refused)

    def _handed_back(self, raw: bytes, *, started: bool, died: bool) -> None:
        self.counts[raw].update(
            {"delivered": 1, "started": int(started), "died": int(died), "given_back": int(not died)}
        )

    def _counts_of(self, raw: bytes) -> Counts:
        counts = self.counts[raw]
        return Counts(counts["delivered"], counts["started"], counts["died"], counts["given_back"])

    def _in_intake(self) -> list[bytes]:
        return cast("list[bytes]", self.client.hvals(INTAKE_RAW))

    def _held(self, owner: Owner) -> dict[int, bytes]:
        fields = cast("dict[bytes, bytes]", self.client.hgetall(f"tasks.held:{owner.lease.owner}"))
        return {int(number): _raw(record) for number, record in fields.items() if number != b"n"}

    def _keys(self, owner: Owner) -> list[str]:
        return [OWNERS, f"tasks.held:{owner.lease.owner}", f"tasks.waiting:{owner.lease.owner}"]

    def _question(self, owner: Owner) -> tuple[list[Any], list[Any]]:
        owner.lease.begun = True  # a worker that was answered before doesn't begin again
        return self.line.question(owner.lease, ORDER, 1, [], waiting=False)

    def _renew(self, what: str, *owners: Owner, budget: int = 200) -> list[Any]:
        keys = [OWNERS, EXPIRED, LATER, LATER_MESSAGES, HEARD]
        length = int(LEASE.total_seconds() * 1000)
        words = ["", length, budget, DEATHS_MAX, what, *(owner.lease.owner for owner in owners)]
        gone = [(owner, self._held(owner)) for owner in self.all if owner.over]
        answer: list[Any] = self.scripts.run("renew", keys, words)
        for owner, before in gone:
            for number in set(before) - set(self._held(owner)):
                started = number not in owner.waiting
                self._handed_back(before[number], started=started, died=started and not owner.left)
        return answer


def _raw(record: bytes) -> bytes:
    """The message in what an owner holds, or in the schedule."""
    return record[10 + int.from_bytes(record[8:10]) :]


TestProtocol = pytest.mark.usefixtures("clean_broker")(Protocol.TestCase)
TestProtocol.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
