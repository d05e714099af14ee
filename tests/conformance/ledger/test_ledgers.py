"""P4's ground: what any ledger promises. Each test runs on PostgreSQL and on Valkey."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from project.local.waiting import wait_until
from tasks.errors import ClaimLost, KeyConflict, ResultRefused
from tasks.execution.ledger import BY_HAND, Busy, Claim, Done
from tasks.execution.settlement import Settled
from tests.concurrency import at_once
from tests.conformance.ledger.calls import HOUR, TINY, WITHIN, claim, claimed, taken_over
from tests.conformance.ledger.subjects import Subject

CROWD = 30


def test_the_first_claim_is_granted_and_nothing_is_known_of_an_earlier_one(subject: Subject) -> None:
    first = claimed(subject)

    assert (first.key, first.owner, first.unknown) == ("key", "one", False)


def test_a_claimed_key_is_busy_for_others_and_for_its_own_holder(subject: Subject) -> None:
    """A message delivered twice has one task id: the second delivery must not pass for the first."""
    claimed(subject)

    for owner in ("one", "two"):
        answer = claim(subject, owner=owner)
        assert isinstance(answer, Busy)
        assert answer.owner == "one"
        assert timedelta(0) < answer.wait <= HOUR


def test_a_completed_key_answers_with_its_result_and_who_did_it(subject: Subject) -> None:
    subject.ledger.complete(claimed(subject), {"charge": "ch_1"}, ttl=HOUR)

    assert claim(subject, owner="two") == Done(result={"charge": "ch_1"}, owner="one")


@pytest.mark.parametrize(
    "result",
    [
        None,
        False,
        "",
        "é\x00\ud800",
        0,
        10**40,
        1e16,
        -0.0,
        [1, [2, {"three": None}]],
        {"b": 1, "a": {"nested": []}},
        Decimal("1.10"),
        UUID("8e03978e-40d5-43e8-bc93-6894a57f9324"),
        datetime(2024, 2, 29, 23, 59, tzinfo=UTC),
        date(2024, 2, 29),
        b"\xff\x00bytes",
        "x" * 300_000,
    ],
    ids=lambda value: f"{type(value).__name__} {str(value)[:12]!r}",
)
def test_a_result_comes_back_as_it_was(subject: Subject, result: Any) -> None:
    """A replay hands it to the next link of the chain in place of the first one's."""
    subject.ledger.complete(claimed(subject), result, ttl=HOUR)

    answer = claim(subject)
    assert isinstance(answer, Done)
    assert answer.result == result
    assert type(answer.result) is type(result)


def test_a_result_that_json_has_no_form_for_is_refused_and_the_claim_stays(subject: Subject) -> None:
    first = claimed(subject)

    with pytest.raises(ResultRefused, match="return plain data"):
        subject.ledger.complete(first, object(), ttl=HOUR)
    assert isinstance(claim(subject), Busy)
    subject.ledger.complete(first, "plain", ttl=HOUR)


def test_past_its_lease_the_outcome_is_unknown(subject: Subject) -> None:
    """The holder vanished between the call and its record: nobody here can say which side of the call."""
    first = claimed(subject, lease=TINY)
    second = taken_over(subject)

    assert second.unknown
    assert (second.owner, second.token > first.token) == ("two", True)


def test_it_stays_unknown_until_somebody_settles_it(subject: Subject) -> None:
    """The second holder may vanish, too."""
    claimed(subject, lease=TINY)
    for _ in range(3):
        second = taken_over(subject)
        assert second.unknown
        subject.ledger.abandon(second)
    third = claimed(subject)
    subject.ledger.release(third)

    assert not claimed(subject).unknown


def test_an_abandoned_claim_is_unknown_at_once(subject: Subject) -> None:
    """Whoever knows that nobody is at it any more need not let others wait for the lease."""
    first = claimed(subject)
    subject.ledger.abandon(first)

    assert claimed(subject, owner="two").unknown


def test_a_person_may_settle_what_nobody_else_can_tell(subject: Subject) -> None:
    """And only that: a claim under way is its holder's. Whoever claimed it last is not said to have done it."""
    assert not subject.ledger.settle("key", None)
    first = claimed(subject)
    assert not subject.ledger.settle("key", Settled("by hand"))
    subject.ledger.abandon(first)
    assert subject.ledger.settle("key", Settled("by hand"))
    assert claim(subject) == Done(result="by hand", owner=BY_HAND)
    with pytest.raises(ClaimLost):
        subject.ledger.complete(first, "late", ttl=HOUR)
    assert not subject.ledger.settle("key", None)

    subject.ledger.abandon(claimed(subject, "other"))
    assert subject.ledger.settle("other", None)
    assert not claimed(subject, "other").unknown


def test_a_released_key_is_not_consumed(subject: Subject) -> None:
    """A failed attempt may be followed by another, even with other arguments."""
    first = claimed(subject)
    subject.ledger.release(first)
    second = claimed(subject, fingerprint="other arguments", owner="two")

    assert not second.unknown
    assert second.token > first.token


def test_a_stale_holder_can_neither_complete_nor_release_nor_abandon(subject: Subject) -> None:
    """A process that was frozen past its lease and woke: what it does must not reach the new holder's claim."""
    stale = claimed(subject, lease=TINY)
    second = taken_over(subject)

    with pytest.raises(ClaimLost):
        subject.ledger.complete(stale, "late", ttl=HOUR)
    subject.ledger.release(stale)
    subject.ledger.abandon(stale)
    assert isinstance(claim(subject, owner="three"), Busy)
    subject.ledger.complete(second, "in time", ttl=HOUR)
    assert claim(subject) == Done(result="in time", owner="two")


def test_a_holder_may_complete_past_its_lease_while_nobody_took_over(subject: Subject) -> None:
    """It was only slow: its effect is the only one."""
    first = claimed(subject, lease=TINY)
    ended = subject.now() + TINY
    assert wait_until(lambda: subject.now() > ended, within=WITHIN)
    subject.ledger.complete(first, "slow", ttl=HOUR)

    assert claim(subject) == Done(result="slow", owner="one")


def test_what_is_settled_is_settled_once(subject: Subject) -> None:
    """After completion or release the token is worth nothing."""
    first = claimed(subject)
    subject.ledger.complete(first, "first", ttl=HOUR)
    with pytest.raises(ClaimLost):
        subject.ledger.complete(first, "second", ttl=HOUR)
    subject.ledger.release(first)
    subject.ledger.abandon(first)
    assert claim(subject) == Done(result="first", owner="one")

    other = claimed(subject, "other")
    subject.ledger.release(other)
    with pytest.raises(ClaimLost):
        subject.ledger.complete(other, "late", ttl=HOUR)


def test_other_arguments_under_a_key_in_use_are_a_conflict(subject: Subject) -> None:
    """Answering with the stored result would give one order's receipt for another's."""
    first = claimed(subject)
    with pytest.raises(KeyConflict):
        claim(subject, fingerprint="other")
    subject.ledger.abandon(first)
    with pytest.raises(KeyConflict):
        claim(subject, fingerprint="other")
    subject.ledger.complete(claimed(subject), None, ttl=HOUR)
    with pytest.raises(KeyConflict):
        claim(subject, fingerprint="other")


def test_keys_know_nothing_of_each_other(subject: Subject) -> None:
    subject.ledger.complete(claimed(subject, "a"), 1, ttl=HOUR)
    claimed(subject, "b" * 255, fingerprint="other")

    assert not claimed(subject, "c é\n").unknown


def test_when_its_time_is_over_a_key_is_as_good_as_new(subject: Subject) -> None:
    """Other arguments are welcome then; a token from before is still too small."""
    first = claimed(subject)
    subject.ledger.complete(first, "old", ttl=TINY)
    assert wait_until(lambda: subject.remembered() == 0, within=WITHIN)
    second = claimed(subject, fingerprint="other")

    assert not second.unknown
    assert second.token > first.token
    with pytest.raises(ClaimLost):
        subject.ledger.complete(first, "late", ttl=HOUR)


def test_tokens_grow_even_when_the_entry_was_pruned_in_between(subject: Subject) -> None:
    """Counting from one again would make the first holder's token that of the second."""
    first = claimed(subject, lease=TINY, ttl=TINY)
    assert wait_until(lambda: subject.remembered() == 0, within=WITHIN)
    subject.ledger.prune(limit=10)
    second = claimed(subject)

    assert second.token > first.token
    with pytest.raises(ClaimLost):
        subject.ledger.complete(first, "late", ttl=HOUR)
    subject.ledger.complete(second, "right", ttl=HOUR)


def test_a_claims_time_counts_from_the_end_of_its_lease(subject: Subject) -> None:
    """A short memory must not make a key free under the hands of who works on it, or what became of it forgotten."""
    claimed(subject, ttl=TINY)
    over = subject.now() + 2 * TINY
    assert wait_until(lambda: subject.now() > over, within=WITHIN)
    subject.ledger.prune(limit=10)
    assert isinstance(claim(subject, owner="two"), Busy)

    claimed(subject, "vanished", lease=TINY)
    over = subject.now() + 2 * TINY
    assert wait_until(lambda: subject.now() > over, within=WITHIN)
    subject.ledger.prune(limit=10)
    assert claimed(subject, "vanished").unknown


def test_pruning_drops_what_is_over_in_batches_and_nothing_else(subject: Subject) -> None:
    for number in range(7):
        subject.ledger.complete(claimed(subject, f"old {number}"), number, ttl=TINY)
    subject.ledger.complete(claimed(subject, "young"), "young", ttl=HOUR)
    claimed(subject, "under way", ttl=TINY)
    assert wait_until(lambda: subject.remembered() == 2, within=WITHIN)

    while pruned := subject.ledger.prune(limit=3):
        assert pruned <= 3
    assert subject.remembered() == 2
    assert claim(subject, "young") == Done(result="young", owner="one")
    assert isinstance(claim(subject, "under way"), Busy)


def test_of_a_crowd_that_claims_one_key_one_gets_it(subject: Subject) -> None:
    answers = at_once(CROWD, lambda: claim(subject))

    assert sum(isinstance(answer, Claim) for answer in answers) == 1
    assert sum(isinstance(answer, Busy) for answer in answers) == CROWD - 1


def test_of_a_crowd_that_takes_a_key_over_one_gets_it(subject: Subject) -> None:
    """Two that both reconcile would both act on what they are told."""
    subject.ledger.abandon(claimed(subject))
    answers = at_once(CROWD, lambda: claim(subject))

    winners = [answer for answer in answers if isinstance(answer, Claim)]
    assert [winner.unknown for winner in winners] == [True]
    assert sum(isinstance(answer, Busy) for answer in answers) == CROWD - 1


def test_of_a_crowd_that_completes_with_one_token_one_does(subject: Subject) -> None:
    first = claimed(subject)
    ends = at_once(CROWD, lambda: subject.ledger.complete(first, "result", ttl=HOUR))

    assert ends.count(None) == 1
    assert sum(isinstance(end, ClaimLost) for end in ends) == CROWD - 1
