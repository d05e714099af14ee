"""The effect ledger: an effect under one idempotency key happens once, however often its message is delivered.

    absent ──claim──▶ claimed(token, lease) ──complete(token)──▶ done(result) ──TTL──▶ absent
       ▲                 │   ▲     │
       └── free ◀────────┘   │     └── lease over, or abandoned: outcome unknown
            release: a clean │               │
            failure          └───────────────┘ claim, marked unknown, with a larger token

Who may move it, and what a crash leaves in each state:

- claimed: only the holder of the token may complete, release or abandon it. A crash leaves it claimed until its lease
  is over; then the next claim is told that the outcome is unknown, and must settle it (ask the provider, or err as
  the task says) before anything else. The late holder's token is smaller now: it can't commit.
- done: nobody; the stored result is the answer to every further claim, until its time is over.
- free: a failed attempt consumed nothing but a token.

Where nobody but a person can tell what became of it, `settle` moves an unknown outcome to done or free.

Time is the ledger's own, its server's clock, so hosts whose clocks differ agree. If that clock jumps ahead, a lease is
over too early: its holder is treated like one that vanished, which is safe. If it jumps back, leases and memories last
longer by so much.

A token is the server's time in microseconds, and at least one more than the last: it grows even when the entry was
forgotten in between, so no holder from before can pass for a later one.

For an effect in the database itself, claim, effect and completion are one transaction (`once`), so that neither a
lease nor an unknown outcome exists: a crash leaves nothing behind.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol, runtime_checkable

from .settlement import Settled

# Who is said to have brought about what was settled by hand. No job's id, so a job that comes again goes on from it.
BY_HAND: Final = "settled by hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to bring about the effect of *key*, for as long as no larger *token* is given out.

    unknown: an earlier holder vanished; the effect may have happened already.
    """

    key: str
    token: int
    owner: str
    unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The effect has happened: its stored *result*, and the *owner* who brought it about."""

    result: Any
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """*owner* is at it; ask again after *wait*: a span, because the asker's clock may differ from the ledger's."""

    owner: str
    wait: timedelta


Answer = Claim | Done | Busy


class Ledger(Protocol):
    """What every ledger does. One conformance suite runs against each."""

    def claim(self, key: str, *, fingerprint: str, owner: str, lease: timedelta, ttl: timedelta) -> Answer:
        """Claim *key*, or say why not. It is on record when this returns.

        ttl: how long after the end of its lease a claim that nobody settles is remembered.
        Raises KeyConflict when the key stands for other arguments.
        """

    def complete(self, claim: Claim, result: Any, *, ttl: timedelta) -> None:
        """Store the result; the effect is done, and remembered for *ttl*.

        Raises ClaimLost when the token is stale, ResultRefused when JSON has no form for the result.
        """

    def release(self, claim: Claim) -> None:
        """Give the key back after a clean failure: nothing has happened. A stale token changes nothing."""

    def abandon(self, claim: Claim) -> None:
        """End the lease now: nobody works on it any more, and the outcome is unknown. A stale token changes nothing."""

    def settle(self, key: str, outcome: Settled | None) -> bool:
        """Say what became of a key whose outcome is unknown: it has happened, or (None) it hasn't. False for others."""

    def prune(self, *, limit: int) -> int:
        """Drop at most *limit* entries whose time is over; return how many."""


@runtime_checkable
class TransactionalLedger(Ledger, Protocol):
    """A ledger in the same database as the effect."""

    def once(
        self, key: str, *, fingerprint: str, owner: str, ttl: timedelta, wait: timedelta
    ) -> AbstractContextManager[Answer]:
        """A transaction in which the effect, its key and its result commit together.

        Yields a Claim (bring about the effect, then `complete`), Done, or Busy when another transaction has held the
        key for longer than *wait*; after Busy nothing can be done in it. Raises KeyConflict.
        """
