"""The circuit's state machine: what it must never do, whatever happens in whatever order, and what it does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tasks import RetryBudget
from tasks.failure.circuit_state import HEARD, Standing, State, asked, closed, pause_of, probed, told

START = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
BUDGET = RetryBudget(
    share=0.5, least=4, window=60 * SECOND, pause=10 * SECOND, longest=40 * SECOND, probes=2
)  # fmt: skip


class CircuitMachine(RuleBasedStateMachine):
    """Workers report, ask, and die, in any order; the clock goes on, jumps ahead, and jumps back."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.standing = Standing(half_began_at=START)
        self.probes: list[int] = []  # under way, by their round
        self.jumped_back = False

    @rule(seconds=st.integers(0, 120))
    def time_goes_on(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @rule(seconds=st.integers(1, 100_000))
    def the_clock_jumps_back(self, seconds: int) -> None:
        self.now -= seconds * SECOND
        self.jumped_back = True

    @rule(succeeded=st.integers(0, 10), failed=st.integers(0, 10))
    def attempts_are_told(self, succeeded: int, failed: int) -> None:
        before = self.standing
        self.standing = told(before, BUDGET, succeeded=succeeded, failed=failed, now=self.now)
        if before.state is not State.CLOSED:
            assert self.standing == before, "what began before it opened must not close or prolong it"
        if before.state is State.CLOSED and self.standing.state is State.OPEN:
            assert self.standing.attempts >= BUDGET.least
            assert self.standing.failures >= BUDGET.share * self.standing.attempts
            assert before.watched_since_at is not None, "it opened on the first failure, unheard"

    @rule()
    def a_job_asks(self) -> None:
        before = self.standing
        self.standing, granted = asked(before, BUDGET, now=self.now)
        if before.state is State.CLOSED:
            assert granted
        elif granted:
            assert self.standing.state is State.HALF_OPEN
            self.probes.append(self.standing.round)

    @precondition(lambda self: self.probes)
    @rule(data=st.data(), succeeded=st.booleans())
    def a_probe_ends(self, data: st.DataObject, succeeded: bool) -> None:
        round_of_it = self.probes.pop(data.draw(st.integers(0, len(self.probes) - 1)))
        before = self.standing
        self.standing = probed(before, BUDGET, round=round_of_it, succeeded=succeeded, now=self.now)
        if round_of_it != before.round:
            assert self.standing == before, "a probe of an earlier try was heeded"
        if self.standing.state is State.CLOSED and before.state is not State.CLOSED:
            assert succeeded
            assert before.good + 1 >= BUDGET.probes

    @precondition(lambda self: self.probes)
    @rule()
    def a_worker_dies_with_its_probe(self) -> None:
        self.probes.pop()

    @invariant()
    def a_pause_has_an_end(self) -> None:
        """Whatever crashed: after the longest pause somebody may try, even if the clock went back in between."""
        if self.standing.state is State.CLOSED:
            return
        standing, granted = asked(self.standing, BUDGET, now=self.now)
        if not granted:
            _, granted = asked(standing, BUDGET, now=self.now + BUDGET.longest)
        assert granted

    @invariant()
    def what_is_let_through_is_bounded(self) -> None:
        assert 0 <= self.standing.permits <= BUDGET.probes
        assert self.standing.good < BUDGET.probes or self.standing.state is State.CLOSED
        assert (self.standing.state is State.CLOSED) == (self.standing.opened_at is None)


TestCircuitMachine: Any = CircuitMachine.TestCase
TestCircuitMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def opened() -> tuple[Standing, datetime]:
    """A circuit that has just opened, and when."""
    now = START
    standing = told(Standing(half_began_at=now), BUDGET, succeeded=0, failed=4, now=now)
    now += HEARD
    return told(standing, BUDGET, succeeded=0, failed=1, now=now), now


def test_it_opens_when_too_many_fail_and_everybody_was_heard() -> None:
    """One host whose network is broken must not stop the others, whose successes are told within a second."""
    first = told(Standing(half_began_at=START), BUDGET, succeeded=0, failed=100, now=START)
    heard = told(first, BUDGET, succeeded=1000, failed=0, now=START + SECOND)

    assert first.state is State.CLOSED
    assert told(heard, BUDGET, succeeded=0, failed=100, now=START + HEARD).state is State.CLOSED
    assert told(first, BUDGET, succeeded=0, failed=1, now=START + HEARD).state is State.OPEN


def test_what_is_older_than_the_window_is_forgotten() -> None:
    """Failures of an hour ago say nothing about now, nor do successes."""
    first = told(Standing(half_began_at=START), BUDGET, succeeded=1000, failed=1, now=START)
    later = START + 2 * BUDGET.window
    watched = told(first, BUDGET, succeeded=0, failed=9, now=later)

    assert watched.attempts == 9
    assert told(watched, BUDGET, succeeded=0, failed=1, now=later + HEARD).state is State.OPEN
    assert not told(first, BUDGET, succeeded=1, failed=0, now=later).is_watched


def test_nothing_is_let_through_before_the_pause_is_over_and_then_so_many_probes() -> None:
    """Ten thousand jobs wait; two of them find out."""
    standing, now = opened()
    granted = []
    for _ in range(5):
        standing, is_granted = asked(standing, BUDGET, now=now + BUDGET.pause - SECOND)
        granted.append(is_granted)
    for _ in range(5):
        standing, is_granted = asked(standing, BUDGET, now=now + BUDGET.pause)
        granted.append(is_granted)

    assert granted == [False] * 5 + [True, True, False, False, False]


def test_it_closes_when_the_probes_have_succeeded_and_remembers_nothing() -> None:
    """The failures that opened it must not open it again at once."""
    standing, now = opened()
    standing, _ = asked(standing, BUDGET, now=now + BUDGET.pause)
    round_of_it = standing.round
    standing = probed(standing, BUDGET, round=round_of_it, succeeded=True, now=now)
    assert standing.state is State.HALF_OPEN
    standing = probed(standing, BUDGET, round=round_of_it, succeeded=True, now=now)

    assert (standing.state, standing.attempts) == (State.CLOSED, 0)
    assert standing.round > round_of_it


def test_each_failed_probe_doubles_the_pause_up_to_the_longest() -> None:
    """A long outage is asked after ever more seldom, and probes that fail together count once."""
    standing, now = opened()
    pauses = []
    for _ in range(4):
        now += pause_of(standing, BUDGET)
        standing, _ = asked(standing, BUDGET, now=now)
        standing, _ = asked(standing, BUDGET, now=now)
        round_of_it = standing.round
        for _ in range(2):
            standing = probed(standing, BUDGET, round=round_of_it, succeeded=False, now=now)
        assert standing.until_at is not None
        pauses.append(standing.until_at - now)

    assert pauses == [20 * SECOND, 40 * SECOND, 40 * SECOND, 40 * SECOND]


@given(st.integers(0, 10_000))
def test_no_number_of_pauses_is_too_many(pauses: int) -> None:
    """An outage may last for weeks."""
    assert pause_of(Standing(half_began_at=START, pauses=pauses), BUDGET) <= BUDGET.longest


def test_closing_by_hand_makes_what_is_under_way_not_heeded() -> None:
    """A probe from before must not count in a later try."""
    standing, now = opened()
    standing, _ = asked(standing, BUDGET, now=now + BUDGET.pause)

    assert probed(closed(standing, now=now), BUDGET, round=standing.round, succeeded=False, now=now).state is (
        State.CLOSED
    )
