"""How redrives ended of which nobody told: cancelled ones, and those of which an earlier copy succeeded after all.

A worker that ends a redriven job tells the letter in the same transaction. Where the job ends otherwise, its row in the
outbox knows, and is asked from time to time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from ..enqueue import rows

_SETTLE: Final = """
    WITH ended AS MATERIALIZED (
        SELECT l.id, CASE WHEN o.state = 'succeeded' THEN 'succeeded' WHEN o.state = 'cancelled' THEN 'cancelled'
            ELSE 'died' END AS outcome, o.task_id IS NULL AS is_lost
        FROM tasks_deadletter l LEFT JOIN tasks_outbox o ON o.task_id = l.task_id
        WHERE l.state = 'redriven' AND (
            o.finished_at < now() - interval '1 minute'
            OR o.task_id IS NULL AND NOT EXISTS (
                SELECT 1 FROM tasks_redrive r WHERE r.letter_id = l.id AND r.asked_at > now() - %(forgotten)s
            )
        )
        LIMIT %(limit)s FOR UPDATE OF l SKIP LOCKED
    ), told AS (
        UPDATE tasks_redrive r SET outcome = ended.outcome, ended_at = now()
        FROM ended WHERE r.letter_id = ended.id AND r.outcome = 'pending'
    )
    UPDATE tasks_deadletter l SET
        state = CASE WHEN ended.outcome = 'succeeded' THEN 'resolved' ELSE 'open' END,
        closed_at = CASE WHEN ended.outcome = 'succeeded' THEN now() END,
        note = CASE WHEN is_lost THEN 'its last redrive left no trace' WHEN ended.outcome = 'cancelled'
            THEN 'its last redrive was cancelled' ELSE l.note END
    FROM ended WHERE l.id = ended.id
"""


def redrives_settle(*, forgotten: timedelta, limit: int) -> int:
    """Bring at most *limit* letters in line with what became of their jobs; return how many.

    forgotten: a job that was redriven longer ago and has no row any more has left no trace; its letter is open again.
    """
    with rows.cursor() as cursor:
        cursor.execute(_SETTLE, {"forgotten": forgotten, "limit": limit})
        return int(cursor.rowcount)
