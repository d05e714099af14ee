"""The ledger in Redis or Valkey alone, for work without a database.

Its promise is weaker than PostgreSQL's, in three ways:

- The effect and its record are never one transaction. There is no `once`; what a crash leaves between them is an
  unknown outcome, to be settled.
- The record can be lost while the effect stays: by a restart without `appendfsync always`, by a failover to a replica
  that had not been told yet, by an eviction (say `maxmemory-policy noeviction`). Then the effect happens again.
- A claim may be granted twice over a failover, for the same reason.

Use it where doing something twice is a nuisance; use the database's where it is a loss. Each step is one script, so
the rest is the same: one winner of a claim, tokens that grow, a stale holder that can't commit, and the server's clock.
A client that repeats a call whose answer it lost, as redis-py does by itself, gets the same answer.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from ...errors import ClaimLost, KeyConflict
from ..ledger import BY_HAND, Answer, Busy, Claim, Done
from ..settlement import Settled
from .results import result_read, result_text

if TYPE_CHECKING:
    from redis import Redis

_SCRIPTS: Final = Path(__file__).parent / "scripts"
MILLISECOND: Final = timedelta(milliseconds=1)


class RedisLedger:
    """Keys as hashes named *prefix* and the key. *client*: the server to keep them on; give it time-outs."""

    def __init__(self, client: Redis, *, prefix: str = "ledger:") -> None:
        self.prefix = prefix
        self._claim, self._complete, self._release, self._abandon, self._settle = (
            client.register_script((_SCRIPTS / f"{name}.lua").read_text())
            for name in ("claim", "complete", "release", "abandon", "settle")
        )

    def claim(self, key: str, *, fingerprint: str, owner: str, lease: timedelta, ttl: timedelta) -> Answer:
        """See Ledger.claim."""
        values = [fingerprint, owner, _milliseconds(lease), _milliseconds(ttl), uuid4().hex]
        kind, *facts = (_text(part) for part in self._call(self._claim, key, *values))
        match kind, facts:
            case "claim", [token, unknown]:
                return Claim(key=key, token=int(token), owner=owner, unknown=unknown == "1")
            case "done", [holder, result]:
                return Done(result=result_read(result), owner=holder)
            case "busy", [holder, left]:
                return Busy(owner=holder, wait=int(left) * MILLISECOND)
        raise KeyConflict(key)

    def complete(self, claim: Claim, result: Any, *, ttl: timedelta) -> None:
        """See Ledger.complete."""
        text = result_text(claim.key, result)
        if not self._call(self._complete, claim.key, claim.token, text, _milliseconds(ttl), uuid4().hex):
            raise ClaimLost(claim.key, claim.token)

    def release(self, claim: Claim) -> None:
        """See Ledger.release."""
        self._call(self._release, claim.key, claim.token)

    def abandon(self, claim: Claim) -> None:
        """See Ledger.abandon."""
        self._call(self._abandon, claim.key, claim.token)

    def settle(self, key: str, outcome: Settled | None) -> bool:
        """See Ledger.settle."""
        values = [] if outcome is None else [BY_HAND, result_text(key, outcome.result)]
        return bool(self._call(self._settle, key, *values))

    def prune(self, *, limit: int) -> int:
        """See Ledger.prune. The server drops what is over by itself; there is never anything left to do."""
        return 0

    def _call(self, script: Any, key: str, *values: object) -> Any:
        return script(keys=[self.prefix + key], args=list(values))


def _milliseconds(duration: timedelta) -> int:
    """At least one: an entry that never expires is none that was asked for."""
    return max(1, round(duration / MILLISECOND))


def _text(part: Any) -> str:
    return part.decode() if isinstance(part, bytes) else str(part)
