"""Going wrong on request: which requests, how, and at which moment.

    before   the request is not carried out, and its key is not touched
    during   its key is held: `hang` carries the request out late and answers, `status` fails it and keeps that answer
    after    it is carried out and its answer is kept, but the caller doesn't get it

`status` answers with an HTTP status of 400 or more; `hang` keeps silent, then (but for *during*) cuts the connection;
`drop` cuts it at once.
"""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from typing import Any, Final, NoReturn

from .errors import failure, invalid_request

MOMENTS: Final = ("before", "during", "after")
KINDS: Final = {"status": MOMENTS, "hang": MOMENTS, "drop": ("before", "after")}
LONGEST_SECONDS: Final = 600


class ConnectionCut(Exception):
    """The connection is to be closed without an answer."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens to `times` requests with that key, or to any requests of /v1 where the key is None."""

    fault: str
    when: str = "before"
    idempotency_key: str | None = None
    status: int = 500
    seconds: float = 5.0
    times: int = 1

    @classmethod
    def read(cls, description: object) -> Fault:
        """Check a description from outside. Raises ApiError for one that means nothing."""
        if not isinstance(description, dict):
            raise invalid_request("A fault is described by a JSON object.")
        try:
            fault = cls(**description)
        except TypeError:
            known = ", ".join(cls.__dataclass_fields__)
            raise invalid_request(f"A fault needs the field fault and knows {known}.") from None
        if fault.when not in KINDS.get(str(fault.fault), ()):
            pairs = "; ".join(f"{kind} {', '.join(moments)}" for kind, moments in KINDS.items())
            raise invalid_request(f"No such fault at that moment. There are: {pairs}.", param="when")
        fault._check_figures()
        return fault

    def _check_figures(self) -> None:
        if type(self.status) is not int or not 400 <= self.status <= 599:
            raise invalid_request("A fault's status is from 400 to 599.", param="status")
        if type(self.seconds) not in (int, float) or not 0 <= self.seconds <= LONGEST_SECONDS:
            raise invalid_request(f"A fault's seconds are from 0 to {LONGEST_SECONDS}.", param="seconds")
        if type(self.times) is not int or self.times < 1:
            raise invalid_request("A fault happens 1 or more times.", param="times")
        if not isinstance(self.idempotency_key, str | None):
            raise invalid_request("A fault's idempotency_key is a string, or null for any.", param="idempotency_key")

    def strike(self) -> NoReturn:
        """Instead of an answer: raise ApiError or ConnectionCut."""
        if self.fault == "status":
            raise failure(self.status)
        if self.fault == "hang":
            time.sleep(self.seconds)
        raise ConnectionCut

    def delay(self) -> None:
        """While a request is carried out: hold it up, or raise ApiError to fail it."""
        if self.fault == "status":
            raise failure(self.status)
        time.sleep(self.seconds)


class Faults:
    """The faults that are still to happen, oldest first; they don't outlive the process. Safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[tuple[Fault, int]] = []

    def arm(self, fault: Fault) -> None:
        """Let it happen to the next requests that it is for."""
        with self._lock:
            self._armed.append((fault, fault.times))

    def take(self, key: str | None) -> Fault | None:
        """The fault that happens to a request with that key now, counted."""
        with self._lock:
            for place, (fault, left) in enumerate(self._armed):
                if fault.idempotency_key in (None, key):
                    self._armed[place : place + 1] = [(fault, left - 1)] if left > 1 else []
                    return fault
        return None

    def clear(self) -> None:
        """Forget all that haven't happened."""
        with self._lock:
            self._armed.clear()

    def armed(self) -> list[dict[str, Any]]:
        """What is still to happen; `times` is how often."""
        with self._lock:
            return [{**asdict(fault), "times": left} for fault, left in self._armed]
