"""The ledger in PostgreSQL, in the database that holds the outbox. Its clock is the database's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import OperationalError, connections, router, transaction

from ...enqueue import rows
from ...errors import ClaimLost, KeyConflict
from ..ledger import BY_HAND, Answer, Busy, Claim, Done
from ..models import LedgerEntry
from ..settlement import Settled
from . import statements
from .results import result_read, result_text

# `claim` can meet another transaction on its key only where one key is used with `once`, too.
CLAIM_WAIT: Final = timedelta(seconds=5)
LOCK_NOT_AVAILABLE: Final = "55P03"
ZERO: Final = timedelta(0)


class PostgresLedger:
    """Keys in the table `tasks_ledger`.

    `complete`, `release` and `abandon` are part of the caller's transaction, if there is one; `claim` refuses one.
    """

    @property
    def alias(self) -> str:
        """The database it is in."""
        return router.db_for_write(LedgerEntry)

    def _cursor(self) -> Any:  # Django's stub of it knows no timedeltas
        return connections[self.alias].cursor()

    def claim(self, key: str, *, fingerprint: str, owner: str, lease: timedelta, ttl: timedelta) -> Answer:
        """See Ledger.claim. Raises RuntimeError inside a transaction, in which the claim would be seen by nobody."""
        wanted = _Wanted(
            key=key, fingerprint=fingerprint, owner=owner, lease=lease, ttl=ttl, wait=_milliseconds(CLAIM_WAIT)
        )
        try:
            if not connections[self.alias].in_atomic_block:
                # Nearly always the key is free, and then one statement, which commits by itself, is all.
                with rows.by_itself(), self._cursor() as cursor:
                    if claim := _taken(cursor, wanted):
                        return claim
            with transaction.atomic(using=self.alias, durable=True), self._cursor() as cursor:
                return _claimed(cursor, wanted)
        except OperationalError as error:
            return _busy(error, CLAIM_WAIT)

    def complete(self, claim: Claim, result: Any, *, ttl: timedelta) -> None:
        """See Ledger.complete."""
        text = result_text(claim.key, result)
        if not self._changed(statements.COMPLETE, [text, ttl, claim.key, claim.token]):
            raise ClaimLost(claim.key, claim.token)

    def release(self, claim: Claim) -> None:
        """See Ledger.release."""
        self._changed(statements.RELEASE, [claim.key, claim.token])

    def abandon(self, claim: Claim) -> None:
        """See Ledger.abandon."""
        self._changed(statements.ABANDON, [claim.key, claim.token])

    def settle(self, key: str, outcome: Settled | None) -> bool:
        """See Ledger.settle."""
        if outcome is None:
            return bool(self._changed(statements.SETTLE_FREE, [key]))
        return bool(self._changed(statements.SETTLE_DONE, [result_text(key, outcome.result), BY_HAND, key]))

    def prune(self, *, limit: int) -> int:
        """See Ledger.prune."""
        return self._changed(statements.PRUNE, [limit])

    def _changed(self, statement: str, values: list[Any]) -> int:
        with self._cursor() as cursor:
            cursor.execute(statement, values)
            return int(cursor.rowcount)

    @contextmanager
    def once(self, key: str, *, fingerprint: str, owner: str, ttl: timedelta, wait: timedelta) -> Iterator[Answer]:
        """See TransactionalLedger.once. Two transactions on one key queue up at its row."""
        limit = _milliseconds(wait)
        with transaction.atomic(using=self.alias):
            try:
                # Its lease is never seen by others: it commits together with `done`, or not at all.
                wanted = _Wanted(key=key, fingerprint=fingerprint, owner=owner, lease=ZERO, ttl=ttl, wait=limit)
                with self._cursor() as cursor:
                    answer = _claimed(cursor, wanted)
            except OperationalError as error:
                answer = _busy(error, wait)
                transaction.set_rollback(True, using=self.alias)
            yield answer


@dataclass(frozen=True, kw_only=True)  # without slots, as a statement is given its `vars`
class _Wanted:
    """A claim that is asked for. wait: how long for another transaction that has the key, as PostgreSQL reads it."""

    key: str
    fingerprint: str
    owner: str
    lease: timedelta
    ttl: timedelta
    wait: str


def _taken(cursor: Any, wanted: _Wanted) -> Claim | None:
    """The key, if it is free. If not, and within a transaction, its row is locked from here on."""
    cursor.execute(statements.TAKE, vars(wanted))
    (token, _) = cursor.fetchone()
    return None if token is None else Claim(key=wanted.key, token=token, owner=wanted.owner)


def _claimed(cursor: Any, wanted: _Wanted) -> Answer:
    """Claim the key in the caller's transaction. Its row is locked from here on, whatever the answer."""
    if claim := _taken(cursor, wanted):
        return claim
    cursor.execute(statements.LOOK, [wanted.key])
    stored, state, holder, remaining, result = cursor.fetchone()
    if stored != wanted.fingerprint:
        raise KeyConflict(wanted.key)
    if state == LedgerEntry.State.DONE:
        return Done(result=result_read(result), owner=holder)
    if remaining > ZERO:
        return Busy(owner=holder, wait=remaining)
    cursor.execute(statements.TAKE_OVER, vars(wanted))
    return Claim(key=wanted.key, token=cursor.fetchone()[0], owner=wanted.owner, unknown=True)


def _busy(error: OperationalError, waited: timedelta) -> Busy:
    """The answer when the lock was not to be had in time. Raises any other *error*."""
    if getattr(error.__cause__, "sqlstate", None) != LOCK_NOT_AVAILABLE:
        raise error
    return Busy(owner="another transaction", wait=waited)


def _milliseconds(duration: timedelta) -> str:
    return f"{max(1, round(duration.total_seconds() * 1000))}ms"
