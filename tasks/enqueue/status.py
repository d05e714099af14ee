"""What became of a job, from the database: so that "not yet" and "never heard of" differ."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from . import rows
from .models import OutboxMessage

State = OutboxMessage.State


class JobStatus(StrEnum):
    """Where a job is.

    UNKNOWN: it was never enqueued through the outbox, was rolled back, or has been pruned. A chain's last link, whose
    id `enqueue` returns, is no job before the link before it has succeeded; if the chain dies on the way, it never is.
    """

    QUEUED = "QUEUED"
    STARTED = "STARTED"
    RETRYING = "RETRYING"
    SUCCEEDED = "SUCCEEDED"
    DEAD = "DEAD"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


_STATUS: Final[dict[str, JobStatus]] = {
    State.SCHEDULED: JobStatus.QUEUED,
    State.QUEUED: JobStatus.QUEUED,
    State.SENT: JobStatus.QUEUED,
    State.STARTED: JobStatus.STARTED,
    State.SUCCEEDED: JobStatus.SUCCEEDED,
    State.DEAD: JobStatus.DEAD,
    State.UNSENDABLE: JobStatus.DEAD,
    State.CANCELLED: JobStatus.CANCELLED,
}


def status(task_id: str) -> JobStatus:
    """The job's status now: from the database that is written to, as a replica may not know of it yet."""
    found = OutboxMessage.objects.using(rows.alias()).filter(task_id=task_id).values_list("state", "retries").first()
    if found is None:
        return JobStatus.UNKNOWN
    state, retries = found
    known = _STATUS[state]
    return JobStatus.RETRYING if known is JobStatus.QUEUED and retries else known
