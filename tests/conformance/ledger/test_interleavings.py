"""P4 as a property of any ledger: whatever order deliveries, crashes, clock steps and zombies come in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from tasks.errors import ClaimLost
from tasks.execution.ledger import Busy, Claim, Done
from tests.conformance.ledger.calls import HOUR
from tests.conformance.ledger.subjects import Subject

KEY = "the key"
LEASES = (HOUR, 3 * HOUR)
STEP = 2 * HOUR
TTL = timedelta(days=30)
SETTINGS = settings(
    max_examples=100,
    stateful_step_count=40,
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
        self.key = Key()

    @rule(target=deliveries, owner=st.sampled_from(("one", "two")), lease=st.sampled_from(LEASES))
    def deliver(self, owner: str, lease: timedelta) -> Any:
        """A message arrives: the ledger must answer as the key's state demands."""
        key = self.key
        answer = self.ledger.claim(KEY, fingerprint="", owner=owner, lease=lease, ttl=TTL)
        if key.commits:
            assert answer == Done(result=key.charge, owner=answer.owner)
            return multiple()
        if key.holder and key.holder.lease_over > self.clock:
            assert isinstance(answer, Busy)
            assert answer.owner == key.holder.claim.owner
            return multiple()
        assert isinstance(answer, Claim)
        assert answer.unknown == (key.holder is not None)
        assert all(answer.token > token for token in key.tokens)
        key.tokens.append(answer.token)
        key.holder = Delivery(answer, self.clock + lease)
        if answer.unknown and key.charge:  # the provider is asked, and tells the truth
            key.holder.called, key.holder.result = True, key.charge
        return key.holder

    @rule(delivery=deliveries)
    def call_the_provider(self, delivery: Delivery) -> None:
        """Which knows the key: the second call under it is answered with the first's charge."""
        if delivery.called:
            return
        key = self.key
        key.zombie_called |= key.holder is not delivery
        key.charges += 1
        key.charge = key.charge or f"charge for {delivery.claim.owner}"
        delivery.called, delivery.result = True, key.charge

    @rule(delivery=deliveries)
    def commit(self, delivery: Delivery) -> None:
        """Only the last holder can, however late it is."""
        if not delivery.called:
            return
        if self.key.holder is delivery:
            self.ledger.complete(delivery.claim, delivery.result, ttl=TTL)
            self.key.commits, self.key.holder = self.key.commits + 1, None
        else:
            with pytest.raises(ClaimLost):
                self.ledger.complete(delivery.claim, delivery.result, ttl=TTL)

    @rule(delivery=consumes(deliveries), how=st.sampled_from(("a clean failure", "cut off", "a crash")))
    def end(self, delivery: Delivery, how: str) -> None:
        """A clean failure gives the key back, a time limit ends the lease, a crash does neither."""
        if how == "a clean failure" and not delivery.called:
            self.ledger.release(delivery.claim)
            if self.key.holder is delivery:
                self.key.holder = None
        elif how == "cut off":
            self.ledger.abandon(delivery.claim)
            delivery.lease_over = self.clock

    @rule()
    def let_time_pass(self) -> None:
        """Some leases are over then; their holders may be dead, or frozen and about to wake."""
        self.clock += STEP
        self.subject.step(STEP)

    @invariant()
    def each_effect_is_committed_at_most_once(self) -> None:
        """And happens at most once even at a provider that knows no keys, unless a zombie called it."""
        assert self.key.commits <= 1
        assert self.key.charges <= 1 or self.key.zombie_called

    def teardown(self) -> None:
        """A delivery that runs clean makes it exactly once."""
        self.let_time_pass()
        self.let_time_pass()
        if not self.key.commits:
            delivery = self.deliver("the last", HOUR)
            self.call_the_provider(delivery)
            self.commit(delivery)
        assert self.key.commits == 1
        self.deliver("one after it", HOUR)
        self.each_effect_is_committed_at_most_once()


def test_any_interleaving_commits_each_effect_once(subject: Subject) -> None:
    machine: Any = partial(Deliveries, subject)
    run_state_machine_as_test(machine, settings=SETTINGS)
