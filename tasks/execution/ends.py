"""With what a canvas ends, and what counts that: a batch, by a header, or a chord that it is in the header of.

A chain ends with its last link, a chord with its body, a group with each of its tasks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from celery import current_app
from celery.canvas import maybe_signature

HEADER: Final = "tasks_batch"


def ends_of(canvas: Any) -> Iterator[tuple[str, str]]:
    """What counts a frozen canvas, an object or JSON, as a member: ids of batches and chords, each with the member's.

    What follows it by its `chain` option is a part of it.
    """
    signature: Any = maybe_signature(canvas, app=current_app)
    if signature is None:
        return
    options = signature.options
    for link in options.get("chain") or []:
        yield from ends_of(link)
    if (parts := _last_parts(signature)) is not None:
        for part in parts:
            yield from ends_of(part)
        return
    if batch_id := (options.get("headers") or {}).get(HEADER):
        yield batch_id, str(options.get("task_id"))
    if options.get("chord") and options.get("group_id"):
        yield options["group_id"], str(options.get("task_id"))


def _last_parts(signature: Any) -> list[Any] | None:
    """Those of a canvas's parts that end it; None for a task."""
    kind = signature.subtask_type
    if kind == "chord":
        return [signature.body]
    if kind == "chain":
        return list(signature.tasks)[-1:]
    return list(signature.tasks) if kind == "group" else None
