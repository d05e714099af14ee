"""Sends again what the broker has forgotten, and drops what is long over.

A broker that loses its memory (Redis without AOF, a failover, an eviction) loses messages that the outbox has marked
sent. So what was sent longer ago than a stated time and has not ended is queued anew under the same task id, but of
each queue no more than the broker misses: a deep queue is slow, not lost, and must not be fed its own backlog. What
was only slow after all finds its job ended, or its key taken, when the extra delivery comes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from celery import Celery
from django.db import transaction

from ..enqueue import rows
from .health import messages_held

_UNDERWAY: Final = """
    SELECT routing_key, count(*), count(*) FILTER (WHERE sent_at < now() - %s) FROM tasks_outbox
    WHERE state IN ('sent', 'started') AND finished_at IS NULL GROUP BY routing_key
"""
_SEND_AGAIN: Final = """
    UPDATE tasks_outbox SET state = 'queued' WHERE id IN (
        SELECT id FROM tasks_outbox
        WHERE state IN ('sent', 'started') AND finished_at IS NULL AND routing_key = %s AND sent_at < now() - %s
        ORDER BY sent_at LIMIT %s FOR UPDATE SKIP LOCKED
    )
"""
_PRUNE: Final = """
    DELETE FROM tasks_outbox WHERE id IN (
        SELECT id FROM tasks_outbox WHERE finished_at < now() - %s
        ORDER BY finished_at LIMIT %s FOR UPDATE SKIP LOCKED
    )
"""


def unfinished_send_again(app: Celery, *, older_than: timedelta, limit: int = 1_000) -> int:
    """Queue anew the jobs that were sent longer ago than that and that the broker misses; return how many.

    limit: the most of one queue. Raises BrokerAway.
    """
    with transaction.atomic(using=rows.alias()), rows.cursor() as cursor:
        cursor.execute(_UNDERWAY, [older_than])
        underway = {queue: (total, old) for queue, total, old in cursor.fetchall() if old}
        if not underway:
            return 0
        held = messages_held(app, underway)
        changed = sum(
            _send_again(cursor, queue, older_than, min(limit, old, total - held[queue]))
            for queue, (total, old) in underway.items()
            if total > held[queue]
        )
        if changed:
            cursor.execute(f"SELECT pg_notify('{rows.CHANNEL}', '')")
    return changed


def finished_prune(*, older_than: timedelta, limit: int = 5_000) -> int:
    """Delete at most *limit* jobs that ended longer ago than that; return how many."""
    with rows.cursor() as cursor:
        cursor.execute(_PRUNE, [older_than, limit])
        return int(cursor.rowcount)


def _send_again(cursor: Any, queue: str, older_than: timedelta, most: int) -> int:
    cursor.execute(_SEND_AGAIN, [queue, older_than, most])
    return int(cursor.rowcount)
