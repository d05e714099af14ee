"""What a worker writes into a job's outbox row: begun, ended, tried again, given back.

A job that was sent without the outbox (`.delay()`, a foreign publisher) has no row; then these change nothing, until
it is to be tried again, which makes one.
"""

from __future__ import annotations

from datetime import timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from celery.exceptions import Retry

from ..enqueue import rows
from ..enqueue.recording import recording
from ..enqueue.unique_locks import FREED_AT_BEGIN, FREED_AT_END
from ..failure.readable import readable
from ..signals import job_finished

if TYPE_CHECKING:
    from ..base import ReliableTask

# What is begun was sent, even if the relay died before it could say so: the reconciler goes by that. It was also due,
# whatever the clock says of whoever wrote it: by that a job that runs is told from one that waits (`RUNS`).
_BEGIN: Final = f"""
    WITH begun AS (
        UPDATE tasks_outbox SET state = 'started', started_at = now(),
            sent_at = coalesce(sent_at, now()), due_at = least(due_at, now())
        WHERE task_id = %(id)s AND finished_at IS NULL AND retries <= %(retries)s
            AND coalesce(headers ->> '{rows.EDITION}', '') = %(edition)s
        RETURNING 1
    ), freed AS ({FREED_AT_BEGIN})
    SELECT EXISTS (SELECT 1 FROM begun), EXISTS (SELECT 1 FROM tasks_outbox WHERE task_id = %(id)s)
"""  # noqa: S608 -- constants only
# A late copy of an earlier attempt, or one with arguments that were replaced since, may find that the job can be done,
# but not that it can't.
_END: Final = f"""
    WITH ended AS (
        UPDATE tasks_outbox SET state = %(state)s, finished_at = now(), problem = %(problem)s
        WHERE task_id = %(id)s AND finished_at IS NULL AND (
            %(state)s = 'succeeded'
            OR retries <= %(retries)s AND coalesce(headers ->> '{rows.EDITION}', '') = %(edition)s
        )
        RETURNING 1
    ), freed AS ({FREED_AT_END})
    SELECT EXISTS (SELECT 1 FROM ended), EXISTS (SELECT 1 FROM tasks_outbox WHERE task_id = %(id)s)
"""  # noqa: S608


# Whether the attempt that a row stands for was begun, and is not known to have ended. The next attempt is due later
# than that; what the reconciler sends again, and what a stopping worker may still finish, is not.
RUNS: Final = "(state = 'started' OR started_at IS NOT NULL AND started_at >= due_at)"


def job_begin(task: ReliableTask[..., Any]) -> bool:
    """Mark the job started.

    False when this delivery must not run: the job has ended, a later attempt has taken its place, or it was given
    other arguments since this message was sent.
    """
    request: Any = task.request
    with rows.by_itself(), rows.cursor() as cursor:
        cursor.execute(_BEGIN, {"id": str(request.id), "retries": request.retries, "edition": _edition(request)})
        begun, known = cursor.fetchone()
    return bool(begun or not known)


class Ended(IntEnum):
    """Whether a job was ended just now. WITHOUT_ROW: as far as can be told, as nothing of it is on record."""

    NO = 0
    WITHOUT_ROW = 1
    ON_RECORD = 2


def job_end(task: ReliableTask[..., Any], state: str, problem: str = "") -> Ended:
    """Mark the job ended, in the caller's transaction, and tell whoever waits for its end.

    NO, and nothing is done, when it has ended already or, for a failure, a later attempt has taken its place.
    """
    request: Any = task.request
    task_id = str(request.id)
    with rows.cursor() as cursor:
        given = {
            "id": task_id,
            "state": state,
            "problem": readable(problem[:500]),
            "retries": request.retries,
            "edition": _edition(request),
        }
        cursor.execute(_END, given)
        ended, known = cursor.fetchone()
    if known and not ended:
        return Ended.NO
    job_finished.send(sender=type(task), task_id=task_id, name=str(task.name), state=state, problem=problem)
    return Ended.ON_RECORD if known else Ended.WITHOUT_ROW


def job_try_again(task: ReliableTask[..., Any], wait: timedelta, error: Exception) -> Retry:
    """Write the next attempt, *wait* from now; return the Retry that tells the worker so."""
    with recording(takes_unique=True) as recorder:
        retry = task.retry(
            exc=error,
            countdown=wait.total_seconds(),
            max_retries=task.retry_policy.max_retries,
            throw=False,
        )
    rows.insert_again(recorder.messages[0])
    return retry


def job_give_back(task: ReliableTask[..., Any], wait: timedelta) -> None:
    """Let the same attempt come again *wait* from now: nothing was tried, so nothing is counted."""
    request: Any = task.request
    with recording(takes_unique=True) as recorder:
        task.signature_from_request(request, countdown=wait.total_seconds(), retries=request.retries).apply_async()
    rows.insert_again(recorder.messages[0])


def _edition(request: Any) -> str:
    """Which edition the message is of; "" for what can be none, as a foreign message may say anything."""
    edition = getattr(request, rows.EDITION, None)
    return readable(edition) if isinstance(edition, str) else ""
