"""The order in which rows of batches are locked: each before what it is a member of, and the innermost first.

A member's end goes from the inside outwards. Whoever held an outer batch and wanted an inner one would wait for a
worker that waits for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from ..enqueue import rows
from .ends import ends_of

_FIND: Final = "SELECT id, parent_id, collects, on_success FROM tasks_batch WHERE id = ANY(%s)"
_LOCK: Final = """
    SELECT id FROM tasks_batch JOIN unnest(%s::varchar[]) WITH ORDINALITY AS wanted (batch_id, place) ON id = batch_id
    ORDER BY place FOR NO KEY UPDATE OF tasks_batch
"""


def batches_lock(batch_ids: Iterable[str]) -> None:
    """Lock the rows of these, and of all that they are members of, in the caller's transaction."""
    around: dict[str, list[str]] = {}
    wanted = set(batch_ids)
    with rows.cursor() as cursor:
        while wanted:
            cursor.execute(_FIND, [list(wanted)])
            found = {batch: [outer for outer, _ in memberships(batch, *place)] for batch, *place in cursor.fetchall()}
            around.update(found)
            wanted = {outer for outers in found.values() for outer in outers} - around.keys()
        if around:
            cursor.execute(_LOCK, [_inner_first(around)])


def memberships(batch_id: str, parent_id: str | None, collects: bool, on_success: Any) -> list[tuple[str, str]]:
    """What a batch is a member of itself; a chord, by what its body would have ended."""
    if collects:
        return [end for body in signatures_in(on_success) for end in ends_of(body)]
    return [(parent_id, f"batch:{batch_id}")] if parent_id else []


def signatures_in(column: Any) -> list[Any]:
    """Those in a column that holds one, a list of them, or none."""
    loaded = json.loads(column) if isinstance(column, str) else column
    if not loaded:
        return []
    return loaded if isinstance(loaded, list) else [loaded]


def _inner_first(around: dict[str, list[str]]) -> list[str]:
    """By how many batches are around each, the most first; those of as many in an order that is the same for all."""
    depths: dict[str, int] = {}

    def depth(batch_id: str) -> int:
        if batch_id not in depths:
            depths[batch_id] = max((depth(outer) + 1 for outer in around.get(batch_id, [])), default=0)
        return depths[batch_id]

    return sorted(around, key=lambda batch_id: (-depth(batch_id), batch_id))
