"""The transactional outbox: a job is a row in the caller's own transaction, committed or rolled back with it.

The relay (`relay.py`) sends what was committed. It may send a message twice, when it dies between the broker's answer
and its own commit; the effect ledger makes that harmless.
"""

from __future__ import annotations

from typing import Any

from celery import current_app, uuid
from celery.canvas import Signature
from django.db import transaction

from ..errors import UnknownTask
from . import rows
from .recording import recording
from .registry import find_task
from .unique_jobs import unique_enqueue, unique_task


def publish(name: str, /, **kwargs: Any) -> str:
    """Enqueue the task registered as *name*; return its task id at once.

    For services, which know tasks by their wire names only. Raises, at the call: UnknownTask; TypeError for
    arguments that the task doesn't take; PayloadRefused for arguments that aren't JSON.
    """
    task = registered(name)
    task.__header__(**kwargs)
    return enqueue(task.signature((), kwargs, immutable=True))


def enqueue(signature: Signature[Any], **options: Any) -> str:
    """Write *signature*, a task's or a whole canvas, to the outbox; return its task id at once.

    In a transaction it is part of it; outside one it commits by itself. A chain's id is that of its last link, as in
    Celery: `status` knows it from when that is written. Add the chain to a Batch to follow it from the start.
    *options* are those of `apply_async`. A unique task's id is that of the job that stands for the call; see
    `uniqueness` for what it raises.
    """
    given = options.pop("task_id", None) or signature.options.get("task_id")
    if (task := unique_task(signature)) is not None:
        return unique_enqueue(task, signature, given, options)
    task_id = str(given or uuid())
    with transaction.atomic(using=rows.alias(), savepoint=False):
        with recording() as recorder:
            # A task of Celery's own looks for no recorder by itself.
            signature.apply_async(task_id=task_id, **{"producer": recorder, **options})
        rows.insert(recorder.messages)
    return task_id


def registered(name: str) -> Any:
    """The task registered under the wire name *name*. Raises UnknownTask."""
    task = find_task(name)
    if task is None:
        raise UnknownTask(name, tuple(sorted(key for key in current_app.tasks if not key.startswith("celery."))))
    return task
