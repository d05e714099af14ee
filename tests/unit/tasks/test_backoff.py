"""How long to wait before the next attempt."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import RetryPolicy

SECOND = timedelta(seconds=1)
TICK = timedelta(microseconds=1)
ALMOST_ONE = 1 - 2**-53

waits = st.timedeltas(timedelta(microseconds=1), timedelta(days=3650))
draws = st.floats(0, 1, exclude_max=True)


@st.composite
def policies(draw: st.DrawFn) -> RetryPolicy:
    first, cap = sorted((draw(waits), draw(waits)))
    return RetryPolicy(max_retries=draw(st.integers(0, 10_000)), first=first, cap=cap)


def ceiling(policy: RetryPolicy, retries: int) -> int:
    """The exponential wait after *retries* retries, in ticks: whole numbers, which never overflow."""
    return int(min(policy.cap // TICK, (policy.first // TICK) << retries))


@given(policies(), st.integers(0, 20_000), draws)
def test_a_wait_is_between_zero_and_the_steps_ceiling(policy: RetryPolicy, retries: int, drawn: float) -> None:
    """Full jitter: anywhere up to first × 2ⁿ, and never past the cap, however often it was tried."""
    wait = policy.wait(retries, draw=lambda: drawn)

    if retries >= policy.max_retries:
        assert wait is None
    else:
        assert wait is not None
        assert 0 <= wait / TICK <= ceiling(policy, retries)


@given(policies(), st.integers(0, 20_000))
def test_the_ceiling_doubles_until_the_cap(policy: RetryPolicy, retries: int) -> None:
    """The upper end of what is drawn is the exponential wait itself: jitter takes away, never adds."""
    longest = policy.wait(retries, draw=lambda: ALMOST_ONE)

    if longest is not None:
        highest = ceiling(policy, retries)
        assert highest - longest / TICK <= max(highest * 1e-9, 1)


def test_jitter_spreads_a_crowd_over_the_whole_step() -> None:
    """A hundred jobs that failed together must not come back together."""
    policy = RetryPolicy(first=100 * SECOND, cap=100 * SECOND)

    drawn = [wait for _ in range(400) if (wait := policy.wait(0))]

    assert min(drawn) < 20 * SECOND
    assert max(drawn) > 80 * SECOND
    assert len(set(drawn)) > 350


@given(st.lists(st.timedeltas(timedelta(0), timedelta(days=365)), max_size=20))
def test_an_explicit_list_is_kept_to_the_letter_and_then_over(delays: list[timedelta]) -> None:
    """`after(10 s, 30 s)` waits 10 s, then 30 s, then gives up: no jitter, no more."""
    policy = RetryPolicy.after(*delays)

    waited = []
    for retries in count():
        wait = policy.wait(retries)
        if wait is None:
            break
        waited.append(wait)

    assert waited == delays
    assert policy.max_retries == len(delays)


def test_never_is_never() -> None:
    """For what must not be tried again."""
    assert RetryPolicy.never().wait(0) is None


@given(policies(), st.integers(0, 20), draws, st.timedeltas(timedelta(0), timedelta(days=9)))
def test_no_attempt_is_made_sooner_than_the_upstream_asks(
    policy: RetryPolicy, retries: int, drawn: float, asked: timedelta
) -> None:
    """Up to a bound; and what is drawn comes on top, or all who were told the same would come at the same moment."""
    wait = policy.wait(retries, asked=asked, draw=lambda: drawn)
    alone = policy.wait(retries, draw=lambda: drawn)

    assert (wait is None) == (alone is None)
    if wait is not None and alone is not None:
        assert wait == alone + min(asked, policy.max_retry_after)


def test_an_explicit_wait_is_lengthened_to_what_is_asked() -> None:
    """And stays as it is where less is asked."""
    policy = RetryPolicy.after(10 * SECOND)

    assert policy.wait(0, asked=30 * SECOND) == 30 * SECOND
    assert policy.wait(0, asked=SECOND) == 10 * SECOND
    assert policy.wait(0, asked=timedelta(days=9)) == timedelta(hours=1)


@given(policies(), st.integers(0, 20), draws, waits, waits)
def test_no_attempt_begins_after_the_deadline(
    policy: RetryPolicy, retries: int, drawn: float, deadline: timedelta, elapsed: timedelta
) -> None:
    """For all attempts together; within it the policy is as it was without one."""
    bounded = replace(policy, deadline=deadline).wait(retries, elapsed=elapsed, draw=lambda: drawn)
    unbounded = policy.wait(retries, draw=lambda: drawn)

    if unbounded is None or elapsed + unbounded > deadline:
        assert bounded is None
    else:
        assert bounded == unbounded


def test_the_default_tries_five_times_more() -> None:
    """As the docstring of `@task` says."""
    policy = RetryPolicy()

    assert [policy.wait(retries) is not None for retries in range(7)] == [True] * 5 + [False] * 2


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"max_retries": -1}, "max_retries must be 0 or more, not -1"),
        ({"first": timedelta(0)}, r"first \(0:00:00\) must be above zero"),
        ({"first": 2 * SECOND, "cap": SECOND}, r"must be above zero and at most cap \(0:00:01\)"),
        ({"max_retries": 1, "delays": (-SECOND,)}, "delays must not be negative"),
        ({"deadline": timedelta(0)}, "deadline must be above zero"),
        ({"max_retry_after": -SECOND}, "max_retry_after must not be negative"),
        ({"delays": (SECOND, SECOND)}, r"2 delays for 5 retries: say RetryPolicy\.after"),
    ],
)
def test_a_policy_that_cannot_be_kept_is_refused(facts: dict[str, object], sentence: str) -> None:
    """It would show on the first failure, inside a worker."""
    with pytest.raises(ValueError, match=sentence):
        RetryPolicy(**facts)  # type: ignore[arg-type]
