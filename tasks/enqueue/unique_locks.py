"""Unique locks in SQL. Everything here happens in the caller's transaction.

What a statement sees of other tables is as old as the statement: one that waited for another transaction's lock row
does not see the job that was committed with it, and would take its owner for vanished. So no statement both waits for
a lock row and asks for its owner's job; who holds a lock is read first, and a write names the owner that was read.
A job that has ended never lives again, so that owner is enough to be sure.

Rows are locked in one order, the outbox's before the lock's, so that callers and workers don't wait for each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from . import rows

_TAKE: Final = """
    INSERT INTO tasks_uniquelock (key, name, arguments, owner, until, taken_at, expires_at)
    VALUES (%(key)s, %(name)s, %(arguments)s, %(owner)s, %(until)s, clock_timestamp(), clock_timestamp() + %(period)s)
    ON CONFLICT (key) DO NOTHING
"""
_TAKE_OVER: Final = """
    UPDATE tasks_uniquelock
    SET owner = %(owner)s, until = %(until)s, taken_at = clock_timestamp(), expires_at = clock_timestamp() + %(period)s
    WHERE key = %(key)s AND owner = %(former)s
"""
# Of a lock `l` and its owner's job `o`, if that is there.
_IS_FREE: Final = """
    CASE l.until
        WHEN 'period' THEN l.expires_at <= clock_timestamp() OR o.state IN ('dead', 'cancelled', 'unsendable')
        WHEN 'started' THEN o.task_id IS NULL OR o.finished_at IS NOT NULL OR o.started_at IS NOT NULL
        ELSE o.task_id IS NULL OR o.finished_at IS NOT NULL
    END
"""
_HOLDER: Final = f"""
    SELECT l.owner, coalesce({_IS_FREE}, false),
        o.task_id IS NULL OR o.started_at IS NOT NULL OR o.finished_at IS NOT NULL
    FROM tasks_uniquelock l LEFT JOIN tasks_outbox o ON o.task_id = l.owner WHERE l.key = %s
"""  # noqa: S608 -- constants only
# Several may hold it so at once; only the owner waits for them, when it deletes the row.
_HOLD_BACK: Final = "SELECT 1 FROM tasks_uniquelock WHERE key = %s AND owner = %s FOR KEY SHARE"

# The row is locked from here on, unless somebody else has it.
_HELD_BACK: Final = """
    WITH mine AS MATERIALIZED (SELECT 1 FROM tasks_uniquelock WHERE owner = %(id)s FOR UPDATE SKIP LOCKED)
    SELECT EXISTS (SELECT 1 FROM tasks_uniquelock WHERE owner = %(id)s) AND NOT EXISTS (SELECT 1 FROM mine)
"""

_RELEASE: Final = """
    DELETE FROM tasks_uniquelock WHERE owner = %(id)s AND (until <> 'period' OR %(state)s <> 'succeeded')
"""
_PRUNE: Final = f"""
    WITH over AS MATERIALIZED (
        SELECT l.key, l.owner FROM tasks_uniquelock l LEFT JOIN tasks_outbox o ON o.task_id = l.owner
        WHERE {_IS_FREE} LIMIT %s
    )
    DELETE FROM tasks_uniquelock l USING over WHERE l.key = over.key AND l.owner = over.owner
"""  # noqa: S608

# Parts of the statements that begin and end a job, the ids of which they know as `begun` and `ended`. Asking for
# those first puts the rows' locks in order.
FREED_AT_BEGIN: Final = """
    DELETE FROM tasks_uniquelock WHERE owner = %(id)s AND until = 'started' AND EXISTS (SELECT 1 FROM begun)
"""
FREED_AT_END: Final = f"{_RELEASE} AND EXISTS (SELECT 1 FROM ended)"  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock as somebody wants it. period: None but for until="period"."""

    key: str
    name: str
    arguments: str
    until: str
    period: timedelta | None


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a lock: the *owner*'s task id, whether the lock is as good as free, and whether its job has begun."""

    owner: str
    is_free: bool
    has_begun: bool


def lock_take(lock: Lock, owner: str) -> bool:
    """Take it, if nobody has it. Waits for a transaction that has taken it, or is freeing it, just now."""
    return _written(_TAKE, lock, owner=owner)


def lock_take_over(lock: Lock, owner: str, *, former: str) -> bool:
    """Take it from *former*, for whom it was found free. False when somebody else has done so meanwhile."""
    return _written(_TAKE_OVER, lock, owner=owner, former=former)


def lock_holder(key: str) -> Holder | None:
    """Who has the lock now."""
    with rows.cursor() as cursor:
        cursor.execute(_HOLDER, [key])
        found = cursor.fetchone()
    return Holder(*found) if found else None


def lock_hold_back(key: str, owner: str) -> bool:
    """Let *owner*, which waits, not begin before this transaction ends. False when it no longer has the lock."""
    with rows.cursor() as cursor:
        cursor.execute(_HOLD_BACK, [key, owner])
        return cursor.fetchone() is not None


def lock_is_held_back(owner: str) -> bool:
    """Whether *owner* would wait now to free its lock. If not, it won't before this transaction ends."""
    with rows.cursor() as cursor:
        cursor.execute(_HELD_BACK, {"id": owner})
        return bool(cursor.fetchone()[0])


def lock_release(owner: str, state: str) -> None:
    """Free what a job holds that has ended as *state*; what it holds for a period, only if it hasn't succeeded."""
    with rows.cursor() as cursor:
        cursor.execute(_RELEASE, {"id": owner, "state": state})


def locks_prune(*, limit: int = 5_000) -> int:
    """Delete at most *limit* locks that are as good as free, periods that are over above all; return how many."""
    with rows.cursor() as cursor:
        cursor.execute(_PRUNE, [limit])
        return int(cursor.rowcount)


def _written(statement: str, lock: Lock, **owners: str) -> bool:
    given = {
        "key": lock.key,
        "name": lock.name,
        "arguments": lock.arguments,
        "until": lock.until,
        "period": lock.period,
        **owners,
    }
    with rows.cursor() as cursor:
        cursor.execute(statement, given)
        return bool(cursor.rowcount)
