"""Messages with an ETA: near ones wait in the worker under its lease, far ones wait on the server.

A far one would keep a place in a worker for hours and move from worker to worker with each deploy. So it goes into a
sorted set by time, in the step in which its holder gives it up, and onto its list again, in one step too, a lease's
length before it is due. It is in one place at any moment, so it never runs twice on that account.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from kombu.utils.encoding import bytes_to_str

from .inspection import list_of
from .names import LATER, LATER_MESSAGES

if TYPE_CHECKING:
    from redis import Redis

PURGED_AT_ONCE: Final = 500
"""How many messages one call takes out of the schedule."""


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
    early = min(lease.total_seconds(), horizon)  # earlier it would only be sent back again
    return max(int((wait.total_seconds() - early) * 1000), 1)


def schedule_purge(client: Redis, lists: Collection[str], *, prefix: str = "") -> int:
    """Take out of the schedule what came from *lists*, and return how many messages that was.

    client: one that doesn't decode answers. lists: without *prefix*. What becomes due meanwhile goes to its list.
    """
    entries: Any = client.hscan_iter(prefix + LATER_MESSAGES, count=100)
    ids = [one for one, record in entries if list_of(record).removeprefix(prefix) in lists]
    purged = 0
    for first in range(0, len(ids), PURGED_AT_ONCE):
        some = ids[first : first + PURGED_AT_ONCE]
        with client.pipeline(transaction=True) as together:
            together.hdel(prefix + LATER_MESSAGES, *some)
            together.zrem(prefix + LATER, *some)
            purged += int(together.execute()[0])
    return purged
