"""What the leases hold, for those who count: health checks and the reconciler."""

from __future__ import annotations

import struct
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, cast

from .names import EXPIRED, HELD, LATER_MESSAGES, OWNERS

if TYPE_CHECKING:
    from redis import Redis

_HEAD: Final = struct.Struct(">dH")


def lists_in_hand(client: Redis, *, prefix: str = "") -> Counter[str]:
    """How many messages of each list workers hold, or wait for a time that is far away.

    client: one that doesn't decode answers. The names are without *prefix*. A message that moves while this looks may
    be counted twice or not at all.
    """
    found: Counter[str] = Counter()
    owners: set[bytes] = set()
    for key in (OWNERS, EXPIRED):
        owners.update(cast("list[bytes]", client.zrange(prefix + key, 0, -1)))
    for name in (*(prefix + HELD + owner.decode() for owner in owners), prefix + LATER_MESSAGES):
        entries: Any = client.hscan_iter(name, count=1000)
        for field, record in entries:
            if field != b"n":
                found[list_of(record).removeprefix(prefix)] += 1
    return found


def list_of(record: bytes) -> str:
    """Key of the list from which a held or scheduled message was taken, with its prefix."""
    _, length = _HEAD.unpack_from(record)
    return record[_HEAD.size : _HEAD.size + length].decode(errors="replace")
