"""A job that Celery itself drops, because it was revoked, terminated or has expired, is cancelled in the outbox, too.

Otherwise its row would stay "sent": sent again by the reconciler, dropped again, and its unique lock held on. Celery
tells of it in the worker's main process, which holds no database connection of its own: one is made and closed.
"""

from __future__ import annotations

import logging
from typing import Any

from celery.signals import task_revoked
from django.db import DatabaseError, InterfaceError, connections

from ..enqueue import rows
from .cancellation import job_cancel

log = logging.getLogger(__name__)


@task_revoked.connect(dispatch_uid="tasks_revocation")
def _revoked(*, sender: Any, request: Any, terminated: bool, expired: bool, **_: Any) -> None:
    """Cancel the job. With the database away it stays sent, is sent again in time, and gets here once more."""
    if getattr(sender, "keeps_letters", False):
        return  # its request sees to it, without holding up the worker
    problem = "expired before it was begun" if expired else "terminated" if terminated else "revoked"
    edition = (getattr(request, rows.EDITION, None) or "") if expired else None
    connection = connections[rows.alias()]
    try:
        if not job_cancel(str(request.id), problem, running=terminated, edition=edition) and expired:
            # Celery drops whatever has this id from now on; but the job may have been given a new message.
            from celery.worker.state import revoked  # the worker's whole machinery: not for a web process

            revoked.discard(str(request.id))
    except (DatabaseError, InterfaceError):
        log.exception("%s was %s, which could not be written down", request.id, problem)
    finally:
        if not connection.in_atomic_block:
            connection.close()
