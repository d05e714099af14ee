"""The demo's work: places the orders, uploads the photos, waits for all of them to end, and counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from project.local.demo.evidence import Evidence, PlacedOrder, UploadedPhoto
from project.local.demo.plan import PlannedOrder
from project.local.demo.shop import Shop
from project.local.payment_sandbox.client import SandboxClient
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


def orders_place(
    shop: Shop, sandbox: SandboxClient, plan: list[PlannedOrder], *, hang: timedelta
) -> Iterator[PlacedOrder]:
    """Place each order; one that is to time out is announced to the sandbox first.

    The stack is fresh, so the order with number n gets the id n; it is checked.
    """
    for planned in plan:
        if planned.timeouts:
            sandbox.fault_arm(
                "hang",
                when="after",
                idempotency_key=f"order-{planned.number}",
                times=planned.timeouts,
                seconds=hang.total_seconds(),
            )
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
    sandbox: SandboxClient,
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
        charges=charges_kept(sandbox),
        confirmations=[subject for subject in subjects if subject.startswith("Your order ")],
        queue_depths={name: queue["depth"] for name, queue in shop.queues().items()},
        stock_before=stock_before,
        stock_after=stock_levels(shop),
    )


def charges_kept(sandbox: SandboxClient) -> list[dict[str, Any]]:
    """The charges that went through and were not refunded, each with the id of its order."""
    return [
        charge | {"order_id": charge["metadata"]["order_id"]}
        for charge in sandbox.books()["charges"]
        if charge["status"] == "succeeded" and not charge["refunded"]
    ]


def stock_levels(shop: Shop) -> dict[str, int]:
    """What is in stock now, by SKU."""
    return {product["sku"]: product["stock"] for product in shop.products()}
