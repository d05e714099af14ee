"""Telling a batch or a chord that one of its members has ended, in the transaction in which it ends.

A member that is a chain ends with its last link, or with the first link that dies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..failure.readable import readable
from ..failure.remains import links_of
from .batches import member_ended
from .ends import HEADER, ends_of

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
    for link in links_of(task.request.chain):
        yield from ends_of(link)


def _count(task: ReliableTask[..., Any], *, dead: bool, result: Any = None) -> None:
    request: Any = task.request
    # A chord of somebody's own result backend isn't in the database: then it is left to that backend.
    place = request.group_index if isinstance(request.group_index, int) else None
    if request.chord and member_ended(_text(request.group), str(request.id), dead=dead, position=place, result=result):
        request.chord = None
    if batch_id := _text(getattr(request, HEADER, None)):
        member_ended(batch_id, str(request.id), dead=dead)


def _text(value: Any) -> str:
    """An id as the database can hold it; "" for what can be none, as a foreign message may say anything."""
    return readable(value) if isinstance(value, str) else ""
