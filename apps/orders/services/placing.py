"""Taking an order: rows only, nothing is sent and no stock is touched."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib.auth.models import User
from django.db import transaction

from config.limits import ORDER_MAX_TOTAL_CENTS

from ..errors import AmountOutOfRange, UnknownProduct
from ..models import Order, OrderLine, Product


@transaction.atomic
def order_place(*, customer: User, email: str, quantities: Mapping[str, int], payment_method: str) -> Order:
    """Write the order and its lines at today's prices.

    quantities: how many (1 to 1,000) of each SKU.
    Raises UnknownProduct and AmountOutOfRange.
    """
    products = {product.sku: product for product in Product.objects.filter(sku__in=quantities)}
    if missing := tuple(sku for sku in quantities if sku not in products):
        raise UnknownProduct(missing)
    total_cents = sum(products[sku].price_cents * quantity for sku, quantity in quantities.items())
    if total_cents > ORDER_MAX_TOTAL_CENTS:
        raise AmountOutOfRange(total_cents, ORDER_MAX_TOTAL_CENTS)
    order = Order.objects.create(customer=customer, email=email, total_cents=total_cents, payment_method=payment_method)
    OrderLine.objects.bulk_create(
        OrderLine(order=order, product=products[sku], quantity=quantity, unit_price_cents=products[sku].price_cents)
        for sku, quantity in quantities.items()
    )
    return order
