"""Customers, products and orders for the tests of several kinds."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from django.contrib.auth.models import User

from apps.orders.models import Order, Product
from apps.orders.services.placing import order_place
from apps.orders.services.shipping import shipment_request
from apps.orders.services.stock import stock_reserve

VISA = "pm_card_visa"
ONE_KNIFE: Mapping[str, int] = MappingProxyType({"KNIFE": 1})
DECLINED = "pm_card_visa_chargeDeclined"


def customer(name: str = "ada") -> User:
    """The user *name*, made when there is none yet."""
    return User.objects.get_or_create(username=name, defaults={"email": f"{name}@example.com"})[0]


def product(sku: str = "KNIFE", *, price_cents: int = 1250, stock: int = 10) -> Product:
    """A product of the catalogue, made when there is none yet."""
    facts = {"name": sku.title(), "price_cents": price_cents, "stock": stock}
    return Product.objects.get_or_create(sku=sku, defaults=facts)[0]


def placed(quantities: Mapping[str, int] = ONE_KNIFE, *, card: str = VISA, by: str = "ada") -> Order:
    """An order of so many of each SKU. Nothing is sent."""
    for sku in quantities:
        product(sku)
    return order_place(customer=customer(by), email=f"{by}@example.com", quantities=quantities, payment_method=card)


def reserved(quantities: Mapping[str, int] = ONE_KNIFE) -> Order:
    """An order whose stock is taken."""
    order = placed(quantities)
    stock_reserve(order_id=order.pk)
    return again(order)


def shipped(quantities: Mapping[str, int] = ONE_KNIFE) -> Order:
    """An order that is paid and on its way. No provider was asked."""
    order = reserved(quantities)
    Order.objects.filter(pk=order.pk).update(state=Order.State.PAID, charge_id="pi_1")
    shipment_request(order_id=order.pk)
    return again(order)


def again(order: Order) -> Order:
    """The order as it is in the database now."""
    return Order.objects.get(pk=order.pk)


def stock_of(sku: str = "KNIFE") -> int:
    """How many are left."""
    return Product.objects.get(sku=sku).stock


def steps_of(order: Order) -> list[tuple[str, str]]:
    """What was tried on the order, and how it ended, in order."""
    return list(order.steps.values_list("name", "outcome"))
