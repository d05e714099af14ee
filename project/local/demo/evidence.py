"""What the demo found when everything had ended, and what of it is not as it must be. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from project.local.demo.plan import PlannedOrder

RENDITIONS = frozenset({"thumb", "medium", "large"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedOrder:
    """A planned order and what the API says of it now."""

    plan: PlannedOrder
    found: dict[str, Any]

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that were tried, in order; failed ones with an exclamation mark."""
        return tuple(step["name"] + "!" * (step["outcome"] == "failed") for step in self.found["steps"])


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedPhoto:
    """A photo's file name and what the API says of it now."""

    name: str
    found: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that was counted, each in its own place.

    charges: the charges in the payment provider's own books.
    confirmations: the subjects of the order mails in the SMTP sink.
    stock_before, stock_after: by SKU.
    """

    orders: list[PlacedOrder]
    photos: list[UploadedPhoto]
    charges: list[dict[str, Any]]
    confirmations: list[str]
    queue_depths: dict[str, int]
    stock_before: dict[str, int] = field(default_factory=dict)
    stock_after: dict[str, int] = field(default_factory=dict)

    @property
    def fulfilled(self) -> list[PlacedOrder]:
        """The orders that went through to the end."""
        return [order for order in self.orders if order.found["state"] == "fulfilled"]

    @property
    def charged_cents(self) -> int:
        """The sum in the provider's books."""
        return sum(charge["amount"] for charge in self.charges)

    @property
    def paid_cents(self) -> int:
        """The sum of the orders that say they are paid."""
        return sum(order.found["total_cents"] for order in self.fulfilled)


def discrepancies(evidence: Evidence) -> list[str]:
    """A sentence for each figure that is not as it must be; empty when all is well."""
    return [*_orders(evidence), *_money(evidence), *_photos(evidence), *_leftovers(evidence)]


def _orders(evidence: Evidence) -> Iterator[str]:
    for order in evidence.orders:
        name = f"order {order.found['id']}"
        if order.found["state"] != order.plan.ends:
            yield f"{name} ended {order.found['state']}, not {order.plan.ends}"
        if order.steps != order.plan.steps:
            yield f"{name} went {' → '.join(order.steps)}, not {' → '.join(order.plan.steps)}"
    for sku, before in evidence.stock_before.items():
        sold = sum(order.plan.quantities.get(sku, 0) for order in evidence.fulfilled)
        left = evidence.stock_after.get(sku)
        if left != before - sold:
            yield f"{sku}: {left} in stock, not {before} - {sold} sold"


def _money(evidence: Evidence) -> Iterator[str]:
    if evidence.charged_cents != evidence.paid_cents:
        yield f"the provider's books hold {evidence.charged_cents} cents, the paid orders {evidence.paid_cents}"
    charged = sorted(str(charge["order_id"]) for charge in evidence.charges)
    paid = sorted(str(order.found["id"]) for order in evidence.fulfilled)
    if charged != paid:
        yield f"charged were the orders {', '.join(charged)}; paid are {', '.join(paid)}"


def _photos(evidence: Evidence) -> Iterator[str]:
    for photo in evidence.photos:
        if photo.found["state"] != "published":
            yield f"{photo.name} is {photo.found['state']}, not published: {photo.found['error']}"
        names = {rendition["name"] for rendition in photo.found["renditions"]}
        if names != RENDITIONS:
            yield f"{photo.name} has the renditions {', '.join(sorted(names)) or 'none'}"


def _leftovers(evidence: Evidence) -> Iterator[str]:
    expected = sorted(f"Your order {order.found['id']} is on its way" for order in evidence.fulfilled)
    if sorted(evidence.confirmations) != expected:
        yield f"{len(evidence.confirmations)} confirmations were mailed for {len(expected)} fulfilled orders"
    for queue, depth in evidence.queue_depths.items():
        if depth:
            yield f"{depth} messages still wait in the queue {queue}"
