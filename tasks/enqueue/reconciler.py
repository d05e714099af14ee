"""Sends again what the broker has forgotten, and drops what is long over.

A broker that loses its memory (Redis without AOF, a failover, an eviction) loses messages that the outbox has marked
sent. What was sent and has not ended within a stated time is queued anew under the same task id. If it was only slow,
the extra delivery finds the job ended, or its key taken, and does nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db import transaction

from . import rows

_SEND_AGAIN: Final = """
    UPDATE tasks_outbox SET state = 'queued' WHERE id IN (
        SELECT id FROM tasks_outbox WHERE state IN ('sent', 'started') AND sent_at < now() - %s
        ORDER BY sent_at LIMIT %s FOR UPDATE SKIP LOCKED
    )
"""
_PRUNE: Final = """
    DELETE FROM tasks_outbox WHERE id IN (
        SELECT id FROM tasks_outbox WHERE finished_at < now() - %s
        ORDER BY finished_at LIMIT %s FOR UPDATE SKIP LOCKED
    )
"""


def unfinished_send_again(*, older_than: timedelta, limit: int = 1_000) -> int:
    """Queue anew at most *limit* jobs that were sent longer ago than that and have not ended; return how many."""
    with transaction.atomic(using=rows.alias()), rows.cursor() as cursor:
        cursor.execute(_SEND_AGAIN, [older_than, limit])
        changed = cursor.rowcount
        if changed:
            cursor.execute(f"SELECT pg_notify('{rows.CHANNEL}', '')")
    return int(changed)


def finished_prune(*, older_than: timedelta, limit: int = 5_000) -> int:
    """Delete at most *limit* jobs that ended longer ago than that; return how many."""
    with rows.cursor() as cursor:
        cursor.execute(_PRUNE, [older_than, limit])
        return int(cursor.rowcount)
