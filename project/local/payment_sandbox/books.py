"""What was charged and refunded, and what each idempotency key was answered: in memory, and in the journal first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .journal import Journal
from .keys import Answer, Keys, Use

Object = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What carrying out a request came to: the answer, and the objects that are new in the books."""

    status: int
    body: dict[str, Any]
    objects: tuple[Object, ...] = ()


class Books:
    """The state that the journal adds up to. Hold `lock` from reading what a decision rests on until `record`."""

    def __init__(self, journal: Journal, *, clock: Callable[[], float] = time.time) -> None:
        self.lock = threading.RLock()
        self.keys = Keys()
        self.clock = clock
        self._journal = journal
        self._payments: dict[str, Object] = {}  # in the order they were made
        self._payment_keys: dict[str, str | None] = {}
        self._refunds: dict[str, Object] = {}
        self._refund_of: dict[str, Object] = {}
        for entry in journal.entries:
            self._apply(entry)

    def record(self, outcome: Outcome, *, request_id: str, key: str | None, use: Use) -> Answer:
        """Put *outcome* on disk, then into effect. Raises OSError when the disk refuses; nothing has happened then."""
        entry = {
            "at": self.clock(),
            "request_id": request_id,
            "key": key,
            "endpoint": use.endpoint,
            "digest": use.digest,
            "status": outcome.status,
            "body": outcome.body,
            "objects": list(outcome.objects),
        }
        with self.lock:
            self._journal.append(entry)
            return self._apply(entry)

    def payment(self, payment_id: str) -> Object | None:
        """The payment intent of that id."""
        with self.lock:
            return self._payments.get(payment_id)

    def payments_newest_first(self) -> list[Object]:
        """Every payment intent, declined ones too."""
        with self.lock:
            return list(reversed(self._payments.values()))

    def refund(self, refund_id: str) -> Object | None:
        """The refund of that id."""
        with self.lock:
            return self._refunds.get(refund_id)

    def refund_of(self, payment_id: str) -> Object | None:
        """The refund of that payment, if there is one."""
        with self.lock:
            return self._refund_of.get(payment_id)

    def overview(self) -> dict[str, Any]:
        """Every charge, and for each currency how many were paid and how many cents were charged and refunded."""
        with self.lock:
            charges = [self._charge(payment) for payment in self._payments.values()]
        totals: dict[str, dict[str, int]] = {}
        for charge in charges:
            total = totals.setdefault(charge["currency"], {"paid": 0, "charged": 0, "refunded": 0})
            if charge["status"] == "succeeded":
                total["paid"] += 1
                total["charged"] += charge["amount"]
                total["refunded"] += charge["refunded"]
        return {"totals": totals, "charges": charges}

    def close(self) -> None:
        """Let go of the file, once the entry that is being written is whole."""
        with self.lock:
            self._journal.close()

    def _charge(self, payment: Object) -> dict[str, Any]:
        refund = self._refund_of.get(payment["id"])
        return {
            "id": payment["id"],
            "idempotency_key": self._payment_keys[payment["id"]],
            "metadata": payment["metadata"],
            "amount": payment["amount"],
            "currency": payment["currency"],
            "status": payment["status"],
            "refunded": refund["amount"] if refund else 0,
        }

    def _apply(self, entry: dict[str, Any]) -> Answer:
        for made in entry["objects"]:
            if made["object"] == "payment_intent":
                self._payments[made["id"]] = made
                self._payment_keys[made["id"]] = entry["key"]
            else:
                self._refunds[made["id"]] = made
                self._refund_of[made["payment_intent"]] = made
        answer = Answer(entry["status"], entry["body"], entry["request_id"])
        if entry["key"] is not None:
            self.keys.keep(entry["key"], Use(entry["endpoint"], entry["digest"]), answer, at=entry["at"])
        return answer
