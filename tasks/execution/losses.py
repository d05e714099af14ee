"""Jobs that take the process that runs them with them: counted, tried again a few times, then dead.

What is counted is deaths, in `tasks_jobattempt`, by job; not deliveries, and not what a deploy or an outage gave back.

- The child is killed (out of memory, SIGKILL, `os._exit`): the worker's main process sees it, counts it, and writes the
  job back into the outbox, due a little later; a job that was sent without it gets its row then.
- The whole worker is killed. Nobody sees it. When the broker delivers again, and says so, a job whose start is on
  record without an end, longer ago than its time limit allows, has died with its worker. A job that was sent without
  the outbox has no start on record at first; it is put on record when it is delivered again, so it has one death more
  than the others. The leased transport counts by itself and brings what died too often to the intake.
  Where time limits aren't enforced, in threads and solo, a job that runs for longer than its limit and is delivered
  again meanwhile looks the same.
- Given back: on its way down a worker tells of the jobs that it runs, and a job whose body gives its message back is no
  death either. Their starts are taken off the record.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.utils import timezone

from ..conf import conf
from ..enqueue import rows
from ..enqueue.models import OutboxMessage
from ..failure.letter_models import JobAttempt
from ..failure.letters import attempt_write, deaths
from ..failure.readable import storable
from ..failure.remains import Cause, Remains, of_request
from .deaths import job_die
from .jobs import RUNS

FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(minutes=1)

# Past its hard limit a job is killed; until then another worker may still be at it.
LIMIT_MARGIN: Final = timedelta(seconds=1)

_UNFINISHED: Final = """
    WITH lost AS (
        SELECT id, started_at FROM tasks_outbox
        WHERE task_id = %(id)s AND state = 'started' AND started_at < now() - %(limit)s FOR UPDATE
    )
    UPDATE tasks_outbox SET state = 'sent', due_at = clock_timestamp()
    FROM lost WHERE tasks_outbox.id = lost.id RETURNING lost.started_at
"""
_STOPPING: Final = "UPDATE tasks_outbox SET state = 'sent' WHERE task_id = ANY(%s) AND state = 'started'"
_GIVEN_BACK: Final = f"""
    UPDATE tasks_outbox SET state = 'sent', due_at = clock_timestamp()
    WHERE task_id = ANY(%s) AND finished_at IS NULL AND state IN ('sent', 'started') AND {RUNS}
"""  # noqa: S608 -- constants only
_IS_SENT: Final = "UPDATE tasks_outbox SET sent_at = now() WHERE task_id = %s AND sent_at IS NULL"
_IS_THERE: Final = "SELECT EXISTS (SELECT 1 FROM tasks_outbox WHERE task_id = %s)"


def child_lost(task: Any, cause: Cause, *, begun_at: datetime | None, worker: str) -> bool:
    """Count the death of the child that ran the job; write its next try, or its end. Whether this is its end.

    In the caller's transaction, in the worker's main process. Nothing is tried again that has ended meanwhile: the
    child may have died after its last commit.
    """
    remains = of_request(task.request)
    attempt_write(remains, cause, JobAttempt.Outcome.DIED, begun_at=begun_at, worker=worker)
    count = deaths(remains)
    if count >= conf().deaths_max:
        return job_die(task, cause, remains=remains)
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (count - 1)) * conf().retry_time_scale
    rows.insert_again(row_of(remains, due_at=timezone.now() + pause))
    return False


def worker_lost(task: Any, cause: Cause, *, limit: timedelta) -> bool:
    """Before a job is begun that was delivered before: count the worker that it has died with, if it has.

    In the caller's transaction, in the child. True when there were so many that it must not be begun.
    """
    remains = of_request(task.request)
    with rows.cursor() as cursor:
        cursor.execute(_UNFINISHED, {"id": remains.id, "limit": limit + LIMIT_MARGIN})
        found = cursor.fetchone()
        if found is None:
            cursor.execute(_IS_THERE, [remains.id])
            if not cursor.fetchone()[0]:
                rows.insert([row_of(remains, due_at=timezone.now(), state=OutboxMessage.State.SENT)])
                cursor.execute(_IS_SENT, [remains.id])
            return False
    attempt_write(remains, cause, JobAttempt.Outcome.DIED, begun_at=found[0], worker="")
    return deaths(remains) >= conf().deaths_max


def stopping(task_ids: list[str]) -> None:
    """These jobs run in a worker that was told to stop: should they not come to their end, it is nobody's death."""
    with rows.cursor() as cursor:
        cursor.execute(_STOPPING, [task_ids])


def given_back(task_ids: list[str]) -> None:
    """What these jobs have begun is nobody's death: their messages go back to the broker, and they wait again."""
    with rows.cursor() as cursor:
        cursor.execute(_GIVEN_BACK, [task_ids])


def row_of(
    remains: Remains, *, due_at: datetime, state: OutboxMessage.State = OutboxMessage.State.SCHEDULED
) -> OutboxMessage:
    """The row that has the relay send the message again, or that has it on record."""
    return OutboxMessage(
        task_id=remains.id,
        name=remains.name[:200],
        state=state,
        priority=remains.priority,
        retries=remains.retries,
        due_at=due_at,
        exchange=remains.exchange,
        routing_key=remains.queue,
        headers=storable({**remains.headers, "eta": None}),
        properties={name: remains.properties.get(name) or "" for name in ("correlation_id", "reply_to")},
        body=remains.body,
        created_at=timezone.now(),
    )
