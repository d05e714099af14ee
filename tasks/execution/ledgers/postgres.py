"""The ledger in PostgreSQL, in the database that holds the outbox. Its clock is the database's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from django.db import OperationalError, connections, router, transaction
from django.utils import timezone

from ...errors import ClaimLost, KeyConflict
from ..ledger import Answer, Busy, Claim, Done
from ..models import LedgerEntry

# A key whose time is over, or that a clean failure gave back, is as good as absent; its token still grows.
_TAKE: Final = """
    INSERT INTO tasks_ledger (key, fingerprint, state, token, owner, lease_until, created_at, expires_at)
    VALUES (%(key)s, %(fingerprint)s, 'claimed', 1, %(owner)s, now() + %(lease)s, now(), now() + %(ttl)s)
    ON CONFLICT (key) DO UPDATE SET
        fingerprint = excluded.fingerprint, state = 'claimed', token = tasks_ledger.token + 1,
        owner = excluded.owner, lease_until = excluded.lease_until, result = NULL, done_at = NULL,
        created_at = excluded.created_at, expires_at = excluded.expires_at
    WHERE tasks_ledger.state = 'free' OR tasks_ledger.expires_at <= now()
    RETURNING token
"""
_LOOK: Final = """
    SELECT fingerprint, state, token, owner, lease_until, lease_until <= clock_timestamp(), result
    FROM tasks_ledger WHERE key = %s FOR UPDATE
"""
_TAKE_OVER: Final = """
    UPDATE tasks_ledger SET token = token + 1, owner = %s, lease_until = clock_timestamp() + %s
    WHERE key = %s RETURNING token
"""
_COMPLETE: Final = """
    UPDATE tasks_ledger SET state = 'done', result = %s, done_at = now(), lease_until = NULL, expires_at = now() + %s
    WHERE key = %s AND token = %s AND state = 'claimed'
"""
_RELEASE: Final = """
    UPDATE tasks_ledger SET state = 'free', lease_until = NULL WHERE key = %s AND token = %s AND state = 'claimed'
"""
_PRUNE: Final = """
    DELETE FROM tasks_ledger WHERE key IN (
        SELECT key FROM tasks_ledger WHERE expires_at <= now() AND (lease_until IS NULL OR lease_until <= now())
        ORDER BY expires_at LIMIT %s FOR UPDATE SKIP LOCKED
    )
"""
LOCK_NOT_AVAILABLE: Final = "55P03"


class PostgresLedger:
    """Keys in the table `tasks_ledger`. Inside a transaction of the caller's, it is part of that."""

    @property
    def alias(self) -> str:
        """The database it is in."""
        return router.db_for_write(LedgerEntry)

    def _cursor(self) -> Any:  # Django's stub of it knows no timedeltas
        return connections[self.alias].cursor()

    def claim(self, key: str, *, fingerprint: str, owner: str, lease: timedelta, ttl: timedelta) -> Answer:
        """See Ledger.claim."""
        with transaction.atomic(using=self.alias), self._cursor() as cursor:
            given = {"key": key, "fingerprint": fingerprint, "owner": owner, "lease": lease, "ttl": ttl}
            cursor.execute(_TAKE, given)
            if taken := cursor.fetchone():
                return Claim(key=key, token=taken[0], owner=owner)
            cursor.execute(_LOOK, [key])
            found = cursor.fetchone()
            if found is None:  # pruned between the two statements
                return Busy(owner="", until=timezone.now())
            stored, state, _, holder, until, over, result = found
            if stored != fingerprint:
                raise KeyConflict(key)
            if state == LedgerEntry.State.DONE:
                return Done(result=_loaded(result), owner=holder)
            if not over:
                return Busy(owner=holder, until=until)
            cursor.execute(_TAKE_OVER, [owner, lease, key])
            return Claim(key=key, token=cursor.fetchone()[0], owner=owner, unknown=True)

    def complete(self, claim: Claim, result: Any, *, ttl: timedelta) -> None:
        """See Ledger.complete."""
        with self._cursor() as cursor:
            cursor.execute(_COMPLETE, [json.dumps(result), ttl, claim.key, claim.token])
            if cursor.rowcount != 1:
                raise ClaimLost(claim.key, claim.token)

    def release(self, claim: Claim) -> None:
        """See Ledger.release."""
        with self._cursor() as cursor:
            cursor.execute(_RELEASE, [claim.key, claim.token])

    def prune(self, *, limit: int) -> int:
        """See Ledger.prune."""
        with self._cursor() as cursor:
            cursor.execute(_PRUNE, [limit])
            return int(cursor.rowcount)

    @contextmanager
    def once(self, key: str, *, fingerprint: str, owner: str, ttl: timedelta, wait: timedelta) -> Iterator[Answer]:
        """See TransactionalLedger.once. Two transactions on one key queue up at its row."""
        with transaction.atomic(using=self.alias):
            try:
                with self._cursor() as cursor:
                    cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{_milliseconds(wait)}ms"])
                # The lease is never seen by others while it counts: it commits together with `done`, or not at all.
                answer = self.claim(key, fingerprint=fingerprint, owner=owner, lease=timedelta(0), ttl=ttl)
            except OperationalError as error:
                if getattr(error.__cause__, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                    raise
                transaction.set_rollback(True, using=self.alias)
                answer = Busy(owner="another transaction", until=timezone.now() + wait)
            yield answer


def _milliseconds(duration: timedelta) -> int:
    return max(1, round(duration.total_seconds() * 1000))


def _loaded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str | bytes) else value
