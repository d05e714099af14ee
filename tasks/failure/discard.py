"""Discarding letters, with a reason, and letting go of old ones.

A discarded letter stays for a while: to be found, and to be redriven after all. What is let go of is gone, with its
attempts and redrives. Closed letters (resolved, discarded) are let go of by age; open ones only much later, or when
there are more letters than may be kept, the oldest first, and that is logged: it is work that nobody did.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from ..enqueue import rows
from .letter_filters import LetterFilter
from .letter_models import DeadLetter

log = logging.getLogger(__name__)

_CHUNK: Final = 5_000

# Attempts hang on a letter by task id alone: they are there before it is.
_LET_GO: Final = """
    WITH gone AS MATERIALIZED (
        SELECT id, task_id FROM tasks_deadletter
        WHERE {condition} ORDER BY {order} LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ), redrives AS (
        DELETE FROM tasks_redrive r USING gone WHERE r.letter_id = gone.id
    ), attempts AS (
        DELETE FROM tasks_jobattempt a USING gone WHERE a.task_id = gone.task_id
    )
    SELECT id FROM gone
"""
_DELETE: Final = "DELETE FROM tasks_deadletter WHERE id = ANY(%s)"
_CLOSED: Final = _LET_GO.format(condition="closed_at < now() - %(age)s", order="closed_at")
_OPEN: Final = _LET_GO.format(
    condition="state IN ('open', 'redriven') AND last_seen_at < now() - %(age)s", order="last_seen_at"
)
_OLDEST: Final = _LET_GO.format(condition="state <> 'redriven'", order="closed_at, last_seen_at")
_TOO_MANY: Final = "SELECT greatest(0, count(*) - %s) FROM tasks_deadletter"
_ATTEMPTS: Final = """
    DELETE FROM tasks_jobattempt WHERE id IN (
        SELECT a.id FROM tasks_jobattempt a
        WHERE a.ended_at < now() - %(age)s
            AND NOT EXISTS (SELECT 1 FROM tasks_deadletter l WHERE l.task_id = a.task_id)
            AND NOT EXISTS (SELECT 1 FROM tasks_outbox o WHERE o.task_id = a.task_id AND o.finished_at IS NULL)
        ORDER BY a.ended_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    )
"""


def letters_discard(which: LetterFilter, *, by: str, note: str, dry_run: bool = False) -> int:
    """Discard the open letters that *which* names, with the reason; return how many were, or would be.

    Those that have died by now, in chunks, each by itself: a million are no one transaction.
    """
    if not note.strip():
        raise ValueError("say why: a discarded letter tells whoever looks for the job")
    found = which.letters().filter(state=DeadLetter.State.OPEN)
    if dry_run:
        return found.count()
    discarded, now = 0, timezone.now()
    while ids := list(found.filter(last_seen_at__lte=now).values_list("pk", flat=True)[:_CHUNK]):
        discarded += found.filter(pk__in=ids).update(
            state=DeadLetter.State.DISCARDED, closed_at=now, closed_by=by[:150], note=note.strip()[:500]
        )
    if discarded:
        log.warning("%s discarded %d letters: %s", by, discarded, note)
    return discarded


def closed_prune(*, older_than: timedelta, limit: int) -> int:
    """Let go of at most *limit* letters that were closed longer ago than that; return how many."""
    return _let_go(_CLOSED, older_than=older_than, limit=limit)


def open_prune(*, older_than: timedelta, limit: int) -> int:
    """Let go of at most *limit* letters that nobody has closed and that died longer ago than that; return how many."""
    gone = _let_go(_OPEN, older_than=older_than, limit=limit)
    if gone:
        log.error("%d dead letters were deleted that had been open for %s", gone, older_than)
    return gone


def letters_bound(*, most: int, limit: int) -> int:
    """Let go of at most *limit* letters while there are more than *most*, closed ones first; return how many."""
    with rows.cursor() as cursor:
        cursor.execute(_TOO_MANY, [most])
        too_many = int(cursor.fetchone()[0])
    if not too_many:
        return 0
    gone = _let_go(_OLDEST, older_than=timedelta(0), limit=min(limit, too_many))
    log.error("%d dead letters were deleted, as there were more than %d", gone, most)
    return gone


def attempts_prune(*, older_than: timedelta, limit: int) -> int:
    """Delete at most *limit* failed attempts of jobs that came to a good end after all, longer ago than that."""
    with rows.cursor() as cursor:
        cursor.execute(_ATTEMPTS, {"age": older_than, "limit": limit})
        return int(cursor.rowcount)


def _let_go(statement: str, *, older_than: timedelta, limit: int) -> int:
    with transaction.atomic(using=rows.alias()), rows.cursor() as cursor:
        cursor.execute(statement, {"age": older_than, "limit": limit})
        ids = [row[0] for row in cursor.fetchall()]
        # Not in the same statement: what refers to it is deleted there.
        cursor.execute(_DELETE, [ids])
    return len(ids)
