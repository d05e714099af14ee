"""The liftable toolkit: what Celery lacks for work that must not be lost or done twice.

    from tasks import Permanent, RetryPolicy, Transient, task

Importing this package imports neither Django's models nor its settings, so it works before the app registry is
ready. Attributes are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import DeadLetterTask, ReliableTask
    from .decorators import task
    from .enqueue.outbox import publish
    from .enqueue.status import JobStatus, status
    from .enqueue.uniqueness import Unique
    from .errors import (
        AlreadyBegun,
        AlreadyEnqueued,
        KeyConflict,
        KeyInProgress,
        OutcomeUnknown,
        PayloadRefused,
        Permanent,
        Transient,
        UnknownTask,
    )
    from .execution.batch import Batch
    from .execution.cancellation import cancel
    from .execution.idempotency import idempotent
    from .execution.settlement import Settled
    from .failure.backoff import RetryPolicy
    from .failure.budget import RetryBudget

__all__ = [
    "AlreadyBegun",
    "AlreadyEnqueued",
    "Batch",
    "DeadLetterTask",
    "JobStatus",
    "KeyConflict",
    "KeyInProgress",
    "OutcomeUnknown",
    "PayloadRefused",
    "Permanent",
    "ReliableTask",
    "RetryBudget",
    "RetryPolicy",
    "Settled",
    "Transient",
    "Unique",
    "UnknownTask",
    "cancel",
    "idempotent",
    "publish",
    "status",
    "task",
]

_HOMES = {
    "AlreadyBegun": ".errors",
    "AlreadyEnqueued": ".errors",
    "Batch": ".execution.batch",
    "DeadLetterTask": ".base",
    "JobStatus": ".enqueue.status",
    "KeyConflict": ".errors",
    "KeyInProgress": ".errors",
    "OutcomeUnknown": ".errors",
    "PayloadRefused": ".errors",
    "Permanent": ".errors",
    "ReliableTask": ".base",
    "RetryBudget": ".failure.budget",
    "RetryPolicy": ".failure.backoff",
    "Settled": ".execution.settlement",
    "Transient": ".errors",
    "Unique": ".enqueue.uniqueness",
    "UnknownTask": ".errors",
    "cancel": ".execution.cancellation",
    "idempotent": ".execution.idempotency",
    "publish": ".enqueue.outbox",
    "status": ".enqueue.status",
    "task": ".decorators",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home, __name__), name)
