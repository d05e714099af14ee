"""The intake: messages that no worker can be given, kept whole until somebody has written them down elsewhere.

A message gets here in the same step on the server that takes it out of circulation, so it is never in no place. The
reader's side is crash-safe if it keeps to this order:

    for entry in intake_peek(client, limit=100):    # nothing is removed
        ...commit it to the database under entry.id, which is unique for ever...
    intake_remove(client, [entry.id, ...])          # after the commit; a second time does no harm

A reader that dies between the two reads the same entries again. Two readers at once read the same entries.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from .names import INTAKE, INTAKE_FACTS, INTAKE_RAW

if TYPE_CHECKING:
    from redis import Redis

UNDECODABLE: Final = "undecodable"
"""Its bytes are not the JSON of an envelope, or its body can't be decoded."""
NOT_AN_ENVELOPE: Final = "not_an_envelope"
"""JSON, but nothing that kombu or Celery could have published."""
TOO_LARGE: Final = "too_large"
"""More bytes than `message_max_bytes`."""
DIED_TOO_OFTEN: Final = "died_too_often"
"""So many workers died while they ran it as `deaths_max` allows."""
NO_LIST: Final = "no_list"
"""It was to go back to its list, and something else is there under the list's name."""
REASONS: Final = (UNDECODABLE, NOT_AN_ENVELOPE, TOO_LARGE, DIED_TOO_OFTEN, NO_LIST)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeEntry:
    """One message that was taken out of circulation.

    id: unique for ever, also over the life of the server. reason: one of REASONS.
    queue: name of the list it came from, with its priority's suffix and without `global_keyprefix`.
    raw: the bytes that were published, unchanged. owner: the worker that held it last.
    delivered, started, died, given_back: how often each has happened to it, this last time included.
    """

    id: str
    reason: str
    queue: str
    raw: bytes
    delivered: int
    started: int
    died: int
    given_back: int
    at: datetime
    owner: str


def intake_peek(
    client: Redis, *, limit: int = 100, most_bytes: int = 8 * 1024 * 1024, prefix: str = ""
) -> list[IntakeEntry]:
    """The entries that came in first, at most *limit* and at most *most_bytes* of messages, but one at least.

    client: a client that doesn't decode answers. prefix: the transport's `global_keyprefix`. Removes nothing.
    """
    ids = cast("list[bytes]", client.zrange(prefix + INTAKE, 0, limit - 1))
    entries: list[IntakeEntry] = []
    read = 0
    for one in ids:
        size = int(client.hstrlen(prefix + INTAKE_RAW, one.decode()))
        if entries and read + size > most_bytes:
            break
        read += size
        facts, raw = _entry(client, prefix, one)
        if facts is not None:
            entries.append(_read(one, facts, raw or b""))
    return entries


def intake_remove(client: Redis, ids: Iterable[str], *, prefix: str = "") -> int:
    """Forget these entries; return how many there were. All or none of them, at once."""
    names = list(ids)
    if not names:
        return 0
    with client.pipeline(transaction=True) as together:
        together.zrem(prefix + INTAKE, *names)
        together.hdel(prefix + INTAKE_FACTS, *names)
        together.hdel(prefix + INTAKE_RAW, *names)
        return int(together.execute()[0])


def intake_size(client: Redis, *, prefix: str = "") -> int:
    """How many entries wait to be read."""
    return int(client.zcard(prefix + INTAKE))


def _entry(client: Redis, prefix: str, one: bytes) -> tuple[bytes | None, bytes | None]:
    with client.pipeline(transaction=True) as together:
        together.hget(prefix + INTAKE_FACTS, one)
        together.hget(prefix + INTAKE_RAW, one)
        facts, raw = together.execute()
    return facts, raw


def _read(one: bytes, facts: bytes, raw: bytes) -> IntakeEntry:
    told: dict[str, Any] = json.loads(facts.decode(errors="replace"))
    counts = {name: int(told[name]) for name in ("delivered", "started", "died", "given_back")}
    return IntakeEntry(
        id=one.decode(),
        reason=told["reason"],
        queue=told["queue"],
        raw=raw,
        at=datetime.fromtimestamp(int(told["at"]) / 1000, UTC),
        owner=told["owner"],
        **counts,
    )
