"""With what a canvas ends, and what counts that: a batch, by a header, or a chord that it is in the header of.

A chain ends with its last link, a chord with its body, a group with each of its tasks. All of it is read as JSON, and
what is no signature is skipped: a foreign message may hold anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..failure.readable import readable

HEADER: Final = "tasks_batch"


def ends_of(canvas: Any) -> Iterator[tuple[str, str]]:
    """What counts a frozen canvas as a member: ids of batches and chords, each with that of the member.

    What follows it by its `chain` option is a part of it.
    """
    signature = _mapping(canvas)
    options = _mapping(signature.get("options"))
    for link in _listed(options.get("chain")):
        yield from ends_of(link)
    kind, kwargs = signature.get("subtask_type"), _mapping(signature.get("kwargs"))
    if kind == "chord":
        yield from ends_of(kwargs.get("body"))
    elif kind in ("chain", "group"):
        parts = _listed(kwargs.get("tasks"))
        for part in parts[-1:] if kind == "chain" else parts:
            yield from ends_of(part)
    else:
        yield from _own(options)


def _own(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What counts a task of these options."""
    counters = [
        options.get("group_id") if options.get("chord") else None,
        _mapping(options.get("headers")).get(HEADER),
    ]
    for counter in counters:
        if counter and isinstance(counter, str):
            yield readable(counter), readable(str(options.get("task_id")))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
