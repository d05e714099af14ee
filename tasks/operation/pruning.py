"""Deleting what is over, in batches: each is a short transaction that waits for nobody's locks."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

BATCH: Final = 5_000


def in_batches(prune: Callable[[int], int], *, within: timedelta, batch: int = BATCH) -> int:
    """Call *prune*, with the most it may delete, until it finds less than that or the time is over; return the sum.

    What is left then is deleted by the next tick.
    """
    deadline = time.monotonic() + within.total_seconds()
    pruned = deleted = prune(batch)
    while deleted == batch and time.monotonic() < deadline:
        deleted = prune(batch)
        pruned += deleted
    return pruned
