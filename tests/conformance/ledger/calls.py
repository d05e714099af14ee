"""Short forms of the ledger's calls, with the values that most tests don't care about."""

from __future__ import annotations

from datetime import timedelta

from tasks.execution.ledger import Answer, Claim
from tests.conformance.ledger.subjects import Subject

TINY = timedelta(milliseconds=1)
HOUR = timedelta(hours=1)
WITHIN = timedelta(seconds=20)


def claim(
    subject: Subject,
    key: str = "key",
    *,
    fingerprint: str = "arguments",
    owner: str = "one",
    lease: timedelta = HOUR,
    ttl: timedelta = HOUR,
) -> Answer:
    """Ask for *key*."""
    return subject.ledger.claim(key, fingerprint=fingerprint, owner=owner, lease=lease, ttl=ttl)


def claimed(
    subject: Subject,
    key: str = "key",
    *,
    fingerprint: str = "arguments",
    owner: str = "one",
    lease: timedelta = HOUR,
    ttl: timedelta = HOUR,
) -> Claim:
    """Ask for *key*, and get it."""
    answer = claim(subject, key, fingerprint=fingerprint, owner=owner, lease=lease, ttl=ttl)
    assert isinstance(answer, Claim)
    return answer


def taken_over(subject: Subject, *, owner: str = "two") -> Claim:
    """Get a key whose lease is a tiny one, when that is over."""
    while not isinstance(answer := claim(subject, owner=owner), Claim):
        pass
    return answer
