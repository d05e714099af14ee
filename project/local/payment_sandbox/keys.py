"""Idempotency keys as Stripe documents them.

The first request with a key is carried out and its answer kept for 24 hours, whatever it was: a payment, a declined
card, an error 500. The same request with that key gets the kept answer; another request is refused, and so is the same
while the first still runs. A request that never began to be carried out, because its parameters are malformed, leaves
its key as it was.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from .errors import key_in_use, key_reused

KEY_LIFE: Final = timedelta(hours=24)


@dataclass(frozen=True)
class Answer:
    """What goes back to the caller. `original_request_id` says to which request it was the answer first."""

    status: int
    body: dict[str, Any]
    request_id: str
    original_request_id: str | None = None


@dataclass(frozen=True)
class Use:
    """What a key was used for: the endpoint's path, and a digest of the parameters."""

    endpoint: str
    digest: str


class Keys:
    """Which keys are in use, which in this process' memory alone, and what each was answered. Safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self._kept: dict[str, tuple[float, Use, Answer]] = {}

    def claim(self, key: str, use: Use, *, at: float) -> Answer | None:
        """Take *key* for a request that begins now (seconds since 1970), or give the answer that is kept for it.

        Raises ApiError if the key is taken, or was used for something else. What is claimed must be released.
        """
        with self._lock:
            if key in self._running:
                raise key_in_use(key)
            kept = self._kept.get(key)
            if kept is None or at - kept[0] >= KEY_LIFE.total_seconds():
                self._running.add(key)
                return None
        _, first, answer = kept
        if first.endpoint != use.endpoint:
            raise key_reused(
                key, f"for the same endpoint they were first used for ('{use.endpoint}' vs '{first.endpoint}')"
            )
        if first.digest != use.digest:
            raise key_reused(key, "with the same parameters they were first used with")
        return answer

    def keep(self, key: str, use: Use, answer: Answer, *, at: float) -> None:
        """From now on this is the answer to *key*."""
        with self._lock:
            self._kept[key] = (at, use, answer)

    def release(self, key: str) -> None:
        """The request that claimed *key* is over."""
        with self._lock:
            self._running.discard(key)
