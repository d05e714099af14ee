"""What comes after a job: the rest of its chain, its callbacks, its error callbacks. Written to the outbox.

Celery's tracer publishes them after the body has returned, from the request that the task sees. Here they are taken
out of that request and written in the transaction of the effect instead: a crash leaves both or neither, and each
link has the task id that was frozen when the chain was made, so that a link that is there already stays one.

A link that is a plain Celery task is left to the tracer, with Celery's own guarantee for it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from celery import group
from celery.canvas import Signature, maybe_signature
from celery.utils.functional import arity_greater, maybe_list
from django.db import InterfaceError, OperationalError, transaction

from ..enqueue import rows
from ..enqueue.recording import recording

if TYPE_CHECKING:
    from ..base import ReliableTask

log = logging.getLogger(__name__)


def continue_after(task: ReliableTask[..., Any], result: Any) -> None:
    """Write the callbacks and the next link of a job that succeeded, in the caller's transaction."""
    request: Any = task.request
    callbacks, left = _split(task, request.callbacks)
    with recording() as recorder:
        for callback in callbacks:
            callback.apply_async(
                (result,), parent_id=request.id, root_id=request.root_id or request.id, **_producer(callback, recorder)
            )
        if request.chain:
            link = _signature(task, request.chain[-1])
            if _is_toolkit(link):
                link.apply_async(
                    (result,),
                    chain=request.chain[:-1],
                    parent_id=request.id,
                    root_id=request.root_id or request.id,
                    **_producer(link, recorder),
                )
                request.chain = None
    request.callbacks = left
    rows.insert(recorder.messages)


def continue_after_failure(task: ReliableTask[..., Any]) -> list[str]:
    """Write the error callbacks of a job that failed for good, in the caller's transaction.

    One that can't be written, because its queue was removed, say, must not keep the job from its end, and is left out;
    answers with what was wrong with each of those. One that wants the request, the error and the traceback is called by
    Celery itself, in this process.
    """
    request: Any = task.request
    left: list[Any] = []
    problems: list[str] = []
    for found in maybe_list(request.errbacks) or []:
        try:
            with transaction.atomic(using=rows.alias()):
                left.extend(_call_back(task, found))
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            name = found.get("task") if isinstance(found, Mapping) else None
            log.exception("the error callback %s of %s[%s] was not enqueued", name, task.name, request.id)
            problems.append(f"its error callback {name} could not be enqueued: {type(error).__name__}")
    request.errbacks = left or None
    return problems


def _call_back(task: ReliableTask[..., Any], found: Any) -> list[Any]:
    """Write one error callback, or return it for Celery to call."""
    request: Any = task.request
    errback = _signature(task, found)
    if not _is_toolkit(errback) or (_is_here(errback) and arity_greater(errback.type.__header__, 1)):
        return [errback]
    with recording() as recorder:
        errback.apply_async(
            (request.id,), parent_id=request.id, root_id=request.root_id or request.id, **_producer(errback, recorder)
        )
    rows.insert(recorder.messages)
    return []


def drop_continuation(task: ReliableTask[..., Any]) -> None:
    """Leave the tracer nothing to publish that the job's first delivery has written already."""
    request: Any = task.request
    _, request.callbacks = _split(task, request.callbacks)
    if request.chain and _is_toolkit(_signature(task, request.chain[-1])):
        request.chain = None


def _split(task: ReliableTask[..., Any], signatures: Any) -> tuple[list[Any], list[Any] | None]:
    """Signatures made of toolkit tasks, and the others."""
    ours: list[Any] = []
    others: list[Any] = []
    for signature in maybe_list(signatures) or []:
        found = _signature(task, signature)
        (ours if _is_toolkit(found) else others).append(found)
    return ours, others or None


def _signature(task: ReliableTask[..., Any], found: Any) -> Any:
    return maybe_signature(found, app=task.app)


def _is_here(signature: Signature[Any]) -> bool:
    """Whether its task is registered in this process."""
    return str(signature.task) in signature.app.tasks


def _producer(signature: Signature[Any], recorder: Any) -> dict[str, Any]:
    """The option that has a task recorded that isn't here to see to it itself."""
    return {} if _is_here(signature) else {"producer": recorder}


def _is_toolkit(signature: Signature[Any]) -> bool:
    """Whether it goes through the outbox: made of toolkit tasks, or of one that isn't known in this process."""
    members = getattr(signature, "tasks", None)
    if isinstance(signature, group) or members is not None:
        return all(_is_toolkit(member) for member in members or [])
    return not _is_here(signature) or getattr(signature.type, "is_reliable", False)
