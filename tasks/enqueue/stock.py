"""Which tasks are plain Celery's: their workers know nothing of the outbox, and no row of theirs would ever end."""

from __future__ import annotations

from ..errors import UnknownTask
from .outbox import registered


def is_stock(name: str) -> bool:
    """Whether *name* is known to be no task of the toolkit's. What isn't known here is taken for one of it."""
    try:
        return not getattr(registered(name), "is_reliable", False)
    except UnknownTask:
        return False
