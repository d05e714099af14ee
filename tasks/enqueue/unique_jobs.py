"""How a unique task is enqueued: its lock is taken and the job written, or what is there already decides."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from celery import current_app, uuid
from celery.canvas import Signature
from django.db import transaction
from django.utils import timezone

from ..errors import AlreadyBegun, AlreadyEnqueued
from ..keys import fingerprint
from . import rows, unique_locks
from .models import OutboxMessage
from .recording import recording
from .unique_alone import check_alone
from .unique_locks import Holder, Lock
from .unique_models import UniqueLock
from .uniqueness import Unique

ARGUMENTS_SHOWN: Final = 500


class UniqueCall:
    """One call of a unique task, on its way into the outbox."""

    def __init__(self, task: Any, signature: Signature[Any], task_id: str | None, options: dict[str, Any]) -> None:
        self.unique: Unique = task.unique
        self.lock = _lock(task, signature)
        self.task_id = task_id
        self.signature, self.options = signature, options
        given = {**signature.options, **options}
        if self.unique.wait and given.get("countdown") is None and given.get("eta") is None:
            self.options = {**options, "countdown": self.unique.wait.total_seconds()}

    def message(self, task_id: str) -> OutboxMessage:
        """The job that it asks for, not yet written."""
        with recording(takes_unique=True) as recorder:
            self.signature.apply_async(task_id=task_id, **self.options)
        return recorder.messages[0]


def unique_task(signature: Signature[Any]) -> Any:
    """The task of *signature* if it is unique, else None. A job that runs inside its call is never enqueued."""
    task = current_app.tasks.get(str(signature.task))
    return task if getattr(task, "unique", None) and not current_app.conf.task_always_eager else None


def unique_enqueue(task: Any, signature: Signature[Any], task_id: str | None, options: dict[str, Any]) -> str:
    """Write the job, or do what the task declares for the case that there is one; return the id of the one that is.

    What goes wrong in here is undone, and leaves the caller's transaction usable. Raises AlreadyEnqueued, AlreadyBegun,
    and UniqueRefused for a call that something is to follow.
    """
    check_alone(str(task.name), {**signature.options, **options})
    call = UniqueCall(task, signature, task_id, options)
    with transaction.atomic(using=rows.alias()):
        while True:  # each time round, somebody else has got on
            if owner := _settled(call):
                return owner


def unique_take_again(task: Any, task_id: str, args: Any, kwargs: Any) -> str | None:
    """Let a job that has ended hold its lock again, in the caller's transaction; or answer who stands for it now."""
    lock = _lock(task, task.signature(tuple(args), dict(kwargs)))
    while True:
        if unique_locks.lock_take(lock, task_id):
            return None
        holder = unique_locks.lock_holder(lock.key)
        if holder is None:
            continue
        if not holder.is_free and holder.owner != task_id:
            return holder.owner
        if unique_locks.lock_take_over(lock, task_id, former=holder.owner):
            return None


def _settled(call: UniqueCall) -> str | None:
    """The id of the job that stands for *call* now; None when what was found has changed meanwhile."""
    task_id = call.task_id or uuid()
    if unique_locks.lock_take(call.lock, task_id):
        rows.insert([call.message(task_id)])
        return task_id
    holder = unique_locks.lock_holder(call.lock.key)
    if holder is None:
        return None
    if holder.is_free:
        if not unique_locks.lock_take_over(call.lock, task_id, former=holder.owner):
            return None
        rows.insert([call.message(task_id)])
        return task_id
    return _ON_CONFLICT[call.unique.on_conflict](call, holder)


def _skip(call: UniqueCall, holder: Holder) -> str | None:
    # What the caller writes besides is to be seen by the job that stands for it.
    if call.lock.until == "started" and not unique_locks.lock_hold_back(call.lock.key, holder.owner):
        return None
    return holder.owner


def _raise(call: UniqueCall, holder: Holder) -> str:
    if holder.owner == call.task_id:
        return holder.owner  # the same job, enqueued twice
    raise AlreadyEnqueued(call.lock.name, call.lock.arguments, holder.owner)


def _replace(call: UniqueCall, holder: Holder) -> str | None:
    if holder.has_begun:
        raise AlreadyBegun(call.lock.name, call.lock.arguments, holder.owner)
    waiting = rows.lock_unbegun(holder.owner)
    if waiting is None:
        return None
    due_at, created_at = waiting
    message = call.message(holder.owner)
    if call.unique.on_conflict == "debounce":
        due_at = _put_off(message.due_at, due_at, created_at, call.unique.max_wait)
    message.due_at = due_at
    message.state = OutboxMessage.State.SCHEDULED if due_at > timezone.now() else OutboxMessage.State.QUEUED
    rows.replace(message)
    return holder.owner


def _put_off(asked: datetime, due_at: datetime, created_at: datetime, max_wait: timedelta | None) -> datetime:
    """When a job is due that is due at *due_at* and asked to be at *asked*."""
    return asked if max_wait is None else min(asked, max(due_at, created_at + max_wait))


_ON_CONFLICT: Final[dict[str, Callable[[UniqueCall, Holder], str | None]]] = {
    "skip": _skip,
    "raise": _raise,
    "replace": _replace,
    "debounce": _replace,
}


def _lock(task: Any, signature: Signature[Any]) -> Lock:
    unique: Unique = task.unique
    arguments = task.bound_arguments(tuple(signature.args), dict(signature.kwargs))
    values = {name: arguments[name] for name in unique.by}
    is_period = isinstance(unique.until, timedelta)
    return Lock(
        key=fingerprint(str(task.name), values),
        name=str(task.name),
        arguments=json.dumps(values, default=str)[:ARGUMENTS_SHOWN],
        until=UniqueLock.Until.PERIOD.value if is_period else str(unique.until),
        period=unique.until if isinstance(unique.until, timedelta) else None,
    )
