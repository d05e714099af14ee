"""Which tasks are plain Celery's: their workers know nothing of the outbox, and no row of theirs would ever end."""

from __future__ import annotations

from .registry import find_task


def is_stock(name: str) -> bool:
    """Whether *name* is known to be no task of the toolkit's. What isn't known here is taken for one of it."""
    task = find_task(name)
    return task is not None and not getattr(task, "is_reliable", False)
