"""The demo's work: places the orders, uploads the photos, waits for all of them to end, and counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from project.local.demo.evidence import Evidence, PlacedOrder, UploadedPhoto
from project.local.demo.plan import PlannedOrder
from project.local.demo.shop import Shop
from project.local.smtp_sink import read_mails

ENDED: Final = frozenset({"fulfilled", "cancelled", "published", "failed"})
STALLED_AFTER: Final = timedelta(seconds=90)

Progress = Callable[[int, int], None]


class Stalled(RuntimeError):
    """Nothing moved for a long time."""

    def __init__(self, kind: str, waiting: tuple[str, ...]) -> None:
        super().__init__(kind, waiting)
        self.kind, self.waiting = kind, waiting

    def __str__(self) -> str:
        return f"no {self.kind} moved for {STALLED_AFTER.seconds} s; still waiting: {', '.join(self.waiting)}"


class Sandbox:
    """The payment sandbox's own door: told to fail, and asked for its books."""

    def __init__(self, base_url: str) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=30, trust_env=False)

    def hang_after_charging(self, order_id: int, *, times: int, seconds: float) -> None:
        """Charge the order but leave its first *times* calls without an answer for *seconds*."""
        fault = {
            "idempotency_key": f"order-{order_id}",
            "fault": "hang",
            "seconds": seconds,
            "when": "after",
            "times": times,
        }
        self._http.post("/sandbox/faults", json=fault).raise_for_status()

    def charges(self) -> list[dict[str, Any]]:
        """The charges that went through and were not refunded, each with the id of its order."""
        books = self._http.get("/sandbox/books").raise_for_status().json()
        return [
            charge | {"order_id": charge["metadata"]["order_id"]}
            for charge in books["charges"]
            if charge["status"] == "succeeded" and not charge["refunded"]
        ]


def orders_place(shop: Shop, sandbox: Sandbox, plan: list[PlannedOrder], *, hang: timedelta) -> Iterator[PlacedOrder]:
    """Place each order; one that is to time out is announced to the sandbox first.

    The stack is fresh, so the order with number n gets the id n; it is checked.
    """
    for planned in plan:
        if planned.timeouts:
            sandbox.hang_after_charging(planned.number, times=planned.timeouts, seconds=hang.total_seconds())
        order = shop.place_order(planned.quantities, payment_method=planned.payment_method)
        if order["id"] != planned.number:
            raise RuntimeError(f"the order got the id {order['id']}, not {planned.number}: the database is not fresh")
        yield PlacedOrder(plan=planned, found=order)


def ended(kind: str, ids: list[int], ask: Callable[[int], dict[str, Any]], progress: Progress) -> list[dict[str, Any]]:
    """Ask until all have ended; tell *progress* (ended, of). Raises Stalled when nothing moves for long."""
    found: dict[int, dict[str, Any]] = {}
    moved_at = time.monotonic()
    seen: dict[int, str] = {}
    while len(found) < len(ids):
        for number in ids:
            if number in found:
                continue
            answer = ask(number)
            if seen.get(number) != answer["state"]:
                seen[number], moved_at = answer["state"], time.monotonic()
            if answer["state"] in ENDED:
                found[number] = answer
                progress(len(found), len(ids))
        if time.monotonic() - moved_at > STALLED_AFTER.total_seconds():
            raise Stalled(kind, tuple(f"{number} ({state})" for number, state in seen.items() if number not in found))
        time.sleep(0.1)
    return [found[number] for number in ids]


def evidence_gather(
    *,
    shop: Shop,
    sandbox: Sandbox,
    mail_directory: Path,
    orders: list[PlacedOrder],
    photos: list[UploadedPhoto],
    stock_before: dict[str, int],
) -> Evidence:
    """Count everything in the place where it happened."""
    subjects = [str(mail["Subject"]) for mail in read_mails(mail_directory)]
    return Evidence(
        orders=orders,
        photos=photos,
        charges=sandbox.charges(),
        confirmations=[subject for subject in subjects if subject.startswith("Your order ")],
        queue_depths={name: queue["depth"] for name, queue in shop.queues().items()},
        stock_before=stock_before,
        stock_after=stock_levels(shop),
    )


def stock_levels(shop: Shop) -> dict[str, int]:
    """What is in stock now, by SKU."""
    return {product["sku"]: product["stock"] for product in shop.products()}
