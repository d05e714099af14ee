"""Telling a batch or a chord that one of its members has ended, in the transaction in which it ends.

A member that is a chain ends with its last link, or with the first link that dies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from celery.canvas import maybe_signature

from ..failure.readable import readable
from ..failure.remains import links_of, mapping
from .batches import HEADER, member_ended

if TYPE_CHECKING:
    from ..base import ReliableTask


def member_succeeded(task: ReliableTask[..., Any], result: Any) -> None:
    """Count the job, if it is the end of a member."""
    _count(task, dead=False, result=result)


def member_died(task: ReliableTask[..., Any]) -> None:
    """Count the job, or the end of its chain that will never be reached, as dead."""
    _count(task, dead=True)
    for batch_id, member in _ends_of_chain(task):
        member_ended(batch_id, member, dead=True)


def members_of(task: ReliableTask[..., Any]) -> list[tuple[str, str]]:
    """What was counted when the job died: ids of batches and chords, each with that of the member."""
    request: Any = task.request
    own = [_text(getattr(request, HEADER, None)), _text(request.group) if request.chord else ""]
    return [*((batch_id, str(request.id)) for batch_id in own if batch_id), *_ends_of_chain(task)]


def _ends_of_chain(task: ReliableTask[..., Any]) -> Iterator[tuple[str, str]]:
    """What is counted when the rest of the job's chain has ended: ids of batches, each with that of its member."""
    request: Any = task.request
    for link in links_of(request.chain):
        for member in _flat(maybe_signature(link, app=task.app)):
            options = mapping(member.options)
            if batch_id := _text(mapping(options.get("headers")).get(HEADER)):
                yield batch_id, _text(options.get("task_id"))
            if options.get("chord") and (group := _text(options.get("group_id"))):
                yield group, _text(options.get("task_id"))


def _count(task: ReliableTask[..., Any], *, dead: bool, result: Any = None) -> None:
    request: Any = task.request
    if batch_id := _text(getattr(request, HEADER, None)):
        member_ended(batch_id, str(request.id), dead=dead, result=result)
    # A chord of somebody's own result backend isn't in the database: then it is left to that backend.
    place = request.group_index if isinstance(request.group_index, int) else None
    if request.chord and member_ended(_text(request.group), str(request.id), dead=dead, position=place, result=result):
        request.chord = None


def _text(value: Any) -> str:
    """An id as the database can hold it; "" for what can be none, as a foreign message may say anything."""
    return readable(value) if isinstance(value, str) else ""


def _flat(signature: Any) -> list[Any]:
    """The links that a member can end with: a chord's end is its body."""
    if getattr(signature, "subtask_type", None) == "chord":
        return [signature.body] if signature.body is not None else []
    return [signature]
