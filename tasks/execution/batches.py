"""Counting members: a batch, or a chord's header, is over when each member has ended, whatever the end.

    open ──close──▶ closed ──last member ends──▶ finished
             │         ▲                           ├─ complete: always, once
             │         │                           ├─ success: no member is dead
             │         └──a dead member is taken ──┤
             │            up again                 │
             └── death: when the first member dies ┘   once

A member's end is one row in `tasks_batchmember`, unique by its task id, written in the transaction in which the member
ends. So a delivery that comes twice counts once, and a crash counts the member and ends it, or neither. The counts
are moved under the batch's row lock: of two members that end at once, one sees the other's, and only the last one
enqueues the callbacks. They have frozen task ids, so even if written twice they stay one job.

A nested batch is a member of its parent, which counts it when it is over. A chord is a batch whose success is its body:
when it is over with a dead member, its body won't run, and is dead wherever that, or what its chain ends with, is a
member. Rows are locked in everybody's order, a batch before what it is a member of.

A member that died and is redriven is a member that has not ended: its row goes, and the batch, and those around it, are
as they were before. So success comes at last, when the last one has been put right. A batch that has been over is not
complete a second time, and the first death has been told of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from celery import current_app
from celery.canvas import group, maybe_signature

from ..enqueue import rows
from ..enqueue.recording import recording
from ..enqueue.stock import is_stock
from .batch_order import batches_lock, memberships, signatures_in
from .collected import collected, result_of

_MEMBER: Final = """
    INSERT INTO tasks_batchmember (batch_id, task_id, is_dead, position, result)
    SELECT id, %(task_id)s, %(dead)s, %(position)s, CASE WHEN collects THEN %(result)s::jsonb END
    FROM tasks_batch WHERE id = %(batch)s ON CONFLICT DO NOTHING
"""
_COUNTS: Final = "is_closed, total, succeeded, dead, collects, reopened, on_success, on_death, on_complete, parent_id"
_COUNT: Final = f"""
    UPDATE tasks_batch SET succeeded = succeeded + %s, dead = dead + %s WHERE id = %s
    RETURNING {_COUNTS}
"""  # noqa: S608 -- names only
_EXPECT: Final = "UPDATE tasks_batch SET total = total + %s WHERE id = %s"
_CLOSE: Final = f"""
    UPDATE tasks_batch SET is_closed = true, total = total + %s WHERE id = %s
    RETURNING {_COUNTS}
"""  # noqa: S608
_FINISHED: Final = "UPDATE tasks_batch SET finished_at = now() WHERE id = %s AND finished_at IS NULL"
_TAKEN_BACK: Final = """
    WITH member AS (
        DELETE FROM tasks_batchmember WHERE batch_id = %(batch)s AND task_id = %(task_id)s AND is_dead RETURNING 1
    )
    UPDATE tasks_batch SET dead = dead - 1, reopened = reopened + 1
    WHERE id = %(batch)s AND EXISTS (SELECT 1 FROM member) RETURNING dead, parent_id, collects, on_success
"""
_RESULTS: Final = "SELECT result FROM tasks_batchmember WHERE batch_id = %s ORDER BY position"


@dataclass(frozen=True, slots=True)
class _Counts:
    is_closed: bool
    total: int
    succeeded: int
    dead: int
    collects: bool
    reopened: int
    on_success: Any
    on_death: Any
    on_complete: Any
    parent_id: str | None

    @property
    def is_over(self) -> bool:
        return self.is_closed and self.succeeded + self.dead >= self.total


def member_ended(batch_id: str, task_id: str, *, dead: bool, position: int | None = None, result: Any = None) -> bool:
    """Count a member, once, in the caller's transaction; enqueue what follows from it. False for no such batch.

    Raises PayloadRefused for a result that a chord can't give its body.
    """
    stored, refusal = collected(task_id, result)
    with rows.cursor() as cursor:
        given = {
            "batch": batch_id,
            "task_id": task_id,
            "dead": dead,
            "position": position,
            "result": stored,
        }
        cursor.execute(_MEMBER, given)
        if not cursor.rowcount:
            return _exists(cursor, batch_id)
        cursor.execute(_COUNT, [int(not dead), int(dead), batch_id])
        counts = _Counts(*cursor.fetchone())
    if refusal is not None and counts.collects:
        raise refusal
    if dead and counts.dead == 1 and not counts.reopened:
        _call(counts.on_death, task_id)
    _finish_if_over(batch_id, counts)
    return True


def batch_expect(batch_id: str, members: int) -> None:
    """So many more members, in the caller's transaction or savepoint."""
    with rows.cursor() as cursor:
        cursor.execute(_EXPECT, [members, batch_id])


def batch_close(batch_id: str, members: int) -> None:
    """So many more members, and no more: from now on the batch can be over. In the caller's transaction."""
    with rows.cursor() as cursor:
        cursor.execute(_CLOSE, [members, batch_id])
        counts = _Counts(*cursor.fetchone())
    _finish_if_over(batch_id, counts)


def members_taken_back(members: Sequence[tuple[str, str]]) -> None:
    """Members that died, batch and task id of each, are taken up again, in the caller's transaction.

    Nothing is done for one that isn't counted as dead.
    """
    batches_lock(batch_id for batch_id, _ in members)
    for batch_id, task_id in members:
        _take_back(batch_id, task_id)


def _take_back(batch_id: str, task_id: str) -> None:
    with rows.cursor() as cursor:
        cursor.execute(_TAKEN_BACK, {"batch": batch_id, "task_id": task_id})
        found = cursor.fetchone()
    if found is None:
        return
    dead, *place = found
    if not dead:  # it isn't dead itself any more
        for outer, member in memberships(batch_id, *place):
            _take_back(outer, member)


def _finish_if_over(batch_id: str, counts: _Counts) -> None:
    if not counts.is_over:
        return
    with rows.cursor() as cursor:
        cursor.execute(_FINISHED, [batch_id])
        is_first = bool(cursor.rowcount)
        if not (is_first or counts.reopened):
            return
        results = None
        if counts.collects and not counts.dead:
            cursor.execute(_RESULTS, [batch_id])
            results = [result_of(row[0]) for row in cursor.fetchall()]
    if is_first:
        _call(counts.on_complete)
    if not counts.dead:
        _call(counts.on_success, *([results] if counts.collects else []))
    if counts.dead or not counts.collects:  # a chord that goes well ends with its body
        for outer, member in memberships(batch_id, counts.parent_id, counts.collects, counts.on_success):
            member_ended(outer, member, dead=bool(counts.dead))


def _call(stored: Any, *args: Any) -> None:
    """Write a stored signature, a task or a list of them, to the outbox. A plain Celery task is published."""
    with recording() as recorder:
        for found in signatures_in(stored):
            signature: Any = maybe_signature(found, app=current_app)
            parts = signature.tasks if isinstance(signature, group) else [signature]
            # One that isn't here doesn't see to it itself that it is recorded.
            given = {} if any(is_stock(str(part["task"])) for part in parts) else {"producer": recorder}
            signature.apply_async(args, **given)
    rows.insert(recorder.messages)


def _exists(cursor: Any, batch_id: str) -> bool:
    cursor.execute("SELECT EXISTS (SELECT 1 FROM tasks_batch WHERE id = %s)", [batch_id])
    return bool(cursor.fetchone()[0])
