"""`cancel`: a job that waits is given up, for good, in the caller's transaction.

It stays in the outbox as CANCELLED; a delivery that is under way already is dropped when it arrives. What it holds is
given back: its unique lock is free, and a batch or chord that it is a member of counts it as dead. Its callbacks and
error callbacks are not called, as with Celery's `revoke`.
"""

from __future__ import annotations

from typing import Final

from django.db import transaction

from ..enqueue import rows
from ..enqueue.models import OutboxMessage
from ..enqueue.unique_locks import FREED_AT_END
from ..failure.remains import of_row
from ..signals import job_finished
from .deaths import stand_in
from .jobs import RUNS
from .membership import member_died

_CANCEL: Final = f"""
    WITH ended AS (
        UPDATE tasks_outbox SET state = %(state)s, finished_at = now(), problem = %(problem)s
        WHERE task_id = %(id)s AND finished_at IS NULL AND (NOT {RUNS} OR %(running)s)
            AND (%(edition)s IS NULL OR %(edition)s = coalesce(headers ->> '{rows.EDITION}', ''))
        RETURNING 1
    ), freed AS ({FREED_AT_END})
    SELECT 1 FROM ended
"""  # noqa: S608 -- constants only


def cancel(task_id: str) -> bool:
    """Cancel a job that is queued, scheduled, sent, or to be tried again. False for one that runs or has ended."""
    return job_cancel(task_id, "cancelled")


def job_cancel(task_id: str, problem: str, *, running: bool = False, edition: str | None = None) -> bool:
    """Cancel a job, with the reason.

    running: even one that has been started, because it was killed. edition: only if it was given no other arguments
    since the message of that edition was sent.
    """
    given = {"id": task_id, "state": "cancelled", "problem": problem, "running": running, "edition": edition}
    with transaction.atomic(using=rows.alias()):
        with rows.cursor() as cursor:
            cursor.execute(_CANCEL, given)
            if cursor.fetchone() is None:
                return False
        # What it is a member of is told by its message, whether or not its task is registered in this process.
        task = stand_in(of_row(OutboxMessage.objects.using(rows.alias()).get(task_id=task_id)))
        member_died(task)
        job_finished.send(sender=type(task), task_id=task_id, name=task.name, state="cancelled", problem=problem)
    return True
