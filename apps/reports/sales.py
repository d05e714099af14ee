"""What a report is made of, and how it is added up. Pure: no I/O, no Django."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from .errors import MixedCurrencies


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """One line of one paid order. Amounts in cents; `placed_at` in the report's time zone."""

    order_id: int
    placed_at: datetime
    sku: str
    product: str
    quantity: int
    unit_price_cents: int
    currency: str

    @property
    def amount_cents(self) -> int:
        """What the line comes to."""
        return self.quantity * self.unit_price_cents


@dataclass(slots=True)
class ProductTotal:
    """So many of one product, and what they came to, in cents."""

    sku: str
    product: str
    quantity: int = 0
    amount_cents: int = 0


@dataclass(slots=True)
class Totals:
    """The sums of a day. Takes memory by the number of products, not of sales."""

    orders: int = 0
    items: int = 0
    amount_cents: int = 0
    currency: str = ""
    products: dict[str, ProductTotal] = field(default_factory=dict)
    _last_order_id: int | None = None

    def add(self, sale: Sale) -> None:
        """Count one sale. The sales of one order come one after the other. Raises MixedCurrencies."""
        if self.currency and sale.currency != self.currency:
            raise MixedCurrencies((self.currency, sale.currency))
        self.currency = sale.currency
        self.orders += sale.order_id != self._last_order_id
        self._last_order_id = sale.order_id
        self.items += sale.quantity
        self.amount_cents += sale.amount_cents
        product = self.products.setdefault(sale.sku, ProductTotal(sale.sku, sale.product))
        product.quantity += sale.quantity
        product.amount_cents += sale.amount_cents

    def by_amount(self) -> list[ProductTotal]:
        """The products, those that brought most first."""
        return sorted(self.products.values(), key=lambda product: (-product.amount_cents, product.sku))


def amount_text(cents: int, currency: str) -> str:
    """123456, "eur" → "1,234.56 EUR"."""
    return f"{cents // 100:,}.{cents % 100:02d} {currency.upper()}".rstrip()
