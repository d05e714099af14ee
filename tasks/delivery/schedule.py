"""Messages with an ETA: near ones wait in the worker under its lease, far ones wait on the server.

A far one would keep a place in a worker for hours and move from worker to worker with each deploy. So it goes into a
sorted set by time, in the step in which its holder gives it up, and onto its list again, in one step too, a lease's
length before it is due. It is in one place at any moment, so it never runs twice on that account.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from kombu.utils.encoding import bytes_to_str


def wait_before(headers: Mapping[str, Any], horizon: float, lease: timedelta) -> int | None:
    """Milliseconds to keep the message on the server; None if a worker should have it now.

    horizon: seconds; what is due within them is the worker's. An ETA that can't be read is the consumer's to refuse.
    """
    eta = headers.get("eta")
    if not eta:
        return None
    try:
        due_at = datetime.fromisoformat(bytes_to_str(eta))
    except (TypeError, ValueError):
        return None
    if due_at.tzinfo is None:
        due_at = due_at.replace(tzinfo=UTC)
    wait = due_at - datetime.now(UTC)
    if wait.total_seconds() <= horizon:
        return None
    return max(int((wait - min(lease, wait)).total_seconds() * 1000), 1)
