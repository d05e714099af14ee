"""P4 as a property of any ledger: whatever order deliveries, crashes, clock steps and zombies come in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from tasks.errors import ClaimLost
from tasks.execution.ledger import Busy, Claim, Done
from tests.conformance.ledger.calls import HOUR
from tests.conformance.ledger.subjects import Subject

KEYS = ("a", "b")
LEASES = (HOUR, 3 * HOUR)
STEP = 2 * HOUR
TTL = timedelta(days=30)
SETTINGS = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@dataclass(eq=False)
class Delivery:
    """One worker with one message, between two of its steps."""

    claim: Claim
    lease_over: timedelta
    called: bool = False
    result: str = ""


@dataclass
class Key:
    """What is true of a key, known to nobody in the system."""

    holder: Delivery | None = None
    charge: str = ""  # in the provider's books
    charges: int = 0
    commits: int = 0
    zombie_called: bool = False
    tokens: list[int] = field(default_factory=list)


class Deliveries(RuleBasedStateMachine):
    """Workers that claim, ask or call the provider, and commit, each step at any time, or never."""

    deliveries = Bundle("deliveries")

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        subject.clear()
        self.subject, self.ledger = subject, subject.ledger
        self.clock = timedelta(0)
        self.keys = {name: Key() for name in KEYS}
        self.owners = 0

    @rule(target=deliveries, name=st.sampled_from(KEYS), lease=st.sampled_from(LEASES))
    def deliver(self, name: str, lease: timedelta) -> Any:
        """A message arrives: the ledger must answer as the key's state demands."""
        self.owners += 1
        key = self.keys[name]
        answer = self.ledger.claim(name, fingerprint=name, owner=str(self.owners), lease=lease, ttl=TTL)
        if key.commits:
            assert answer == Done(result=key.charge, owner=answer.owner)
            return None
        if key.holder and key.holder.lease_over > self.clock:
            assert isinstance(answer, Busy)
            assert answer.owner == key.holder.claim.owner
            return None
        assert isinstance(answer, Claim)
        assert answer.unknown == (key.holder is not None)
        assert all(answer.token > token for token in key.tokens)
        key.tokens.append(answer.token)
        key.holder = Delivery(answer, self.clock + lease)
        if answer.unknown and key.charge:  # the provider is asked, and tells the truth
            key.holder.called, key.holder.result = True, key.charge
        return key.holder

    @rule(delivery=deliveries)
    def call_the_provider(self, delivery: Delivery | None) -> None:
        """Which knows the key: the second call under it is answered with the first's charge."""
        if delivery is None or delivery.called:
            return
        key = self.keys[delivery.claim.key]
        key.zombie_called |= key.holder is not delivery
        key.charges += 1
        key.charge = key.charge or f"charge for {delivery.claim.owner}"
        delivery.called, delivery.result = True, key.charge

    @rule(delivery=consumes(deliveries))
    def commit(self, delivery: Delivery | None) -> None:
        """Only the last holder can, however late it is."""
        if delivery is None or not delivery.called:
            return
        key = self.keys[delivery.claim.key]
        if key.holder is delivery:
            self.ledger.complete(delivery.claim, delivery.result, ttl=TTL)
            key.commits, key.holder = key.commits + 1, None
        else:
            with pytest.raises(ClaimLost):
                self.ledger.complete(delivery.claim, delivery.result, ttl=TTL)

    @rule(delivery=consumes(deliveries))
    def fail_cleanly(self, delivery: Delivery | None) -> None:
        """Before the call: the key is not consumed."""
        if delivery is None or delivery.called:
            return
        self.ledger.release(delivery.claim)
        key = self.keys[delivery.claim.key]
        if key.holder is delivery:
            key.holder = None

    @rule(delivery=consumes(deliveries))
    def be_cut_off(self, delivery: Delivery | None) -> None:
        """By a time limit in the middle of the call: the lease ends now."""
        if delivery is None:
            return
        self.ledger.abandon(delivery.claim)
        if self.keys[delivery.claim.key].holder is delivery:
            delivery.lease_over = self.clock

    @rule(delivery=consumes(deliveries))
    def crash(self, delivery: Delivery | None) -> None:
        """It never does anything again."""

    @rule()
    def let_time_pass(self) -> None:
        """Some leases are over then; their holders may be dead, or frozen and about to wake."""
        self.clock += STEP
        self.subject.step(STEP)

    @rule()
    def prune(self) -> None:
        """Nothing is old enough to be forgotten."""
        assert self.ledger.prune(limit=10) == 0

    @invariant()
    def each_effect_is_committed_at_most_once(self) -> None:
        """And happens at most once even at a provider that knows no keys, unless a zombie called it."""
        for key in self.keys.values():
            assert key.commits <= 1
            assert key.charges <= 1 or key.zombie_called

    def teardown(self) -> None:
        """A delivery that runs clean makes it exactly once."""
        self.let_time_pass()
        self.let_time_pass()
        for name, key in self.keys.items():
            delivery = self.deliver(name, HOUR)
            self.call_the_provider(delivery)
            self.commit(delivery)
            assert key.commits == 1
            last: Any = self.ledger.claim(name, fingerprint=name, owner="last", lease=HOUR, ttl=TTL)
            assert last.result == key.charge
        self.each_effect_is_committed_at_most_once()


def test_any_interleaving_commits_each_effect_once(subject: Subject) -> None:
    machine: Any = partial(Deliveries, subject)
    run_state_machine_as_test(machine, settings=SETTINGS)
