"""Publish when the transaction around the call has committed.

A rollback sends nothing. What this does not do: survive the process. A crash between COMMIT and publish, or a broker
that is away at that moment, loses the message while the rows stay; the error is raised to the caller, after the
commit.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from celery import current_app, uuid
from celery.canvas import Signature
from django.db import transaction

from ..errors import UnknownTask


def enqueue(signature: Signature[Any]) -> str:
    """Send *signature* (a task's or a whole canvas) after the commit; return its task id at once.

    Outside a transaction it is sent at once. A chain's id is that of its last link, as in Celery.
    """
    task_id = uuid()
    transaction.on_commit(partial(signature.apply_async, task_id=task_id))
    return task_id


def publish(name: str, /, **kwargs: Any) -> str:
    """Send the task registered as *name* after the commit; return its task id at once.

    For services, which know tasks by their wire names only. Raises, at the call: UnknownTask; TypeError for
    arguments that the task doesn't take; PayloadRefused for arguments that aren't JSON.
    """
    task = _registered(name)
    task.__header__(**kwargs)
    return enqueue(task.signature((), kwargs, immutable=True))


def _registered(name: str) -> Any:
    registry = current_app.tasks
    if name not in registry:
        # A web process imports no task module until it needs one.
        current_app.loader.import_default_modules()
    if name not in registry:
        raise UnknownTask(name, tuple(sorted(key for key in registry if not key.startswith("celery."))))
    return registry[name]
