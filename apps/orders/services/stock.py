"""Reserving stock for an order, and giving it back when the order is cancelled."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F

from tasks.enqueue.outbox import publish

from ..errors import OutOfStock, WrongState
from ..models import Order, OrderStep, Product
from .history import order_lock, step_done

RESERVED_STATES = (Order.State.RESERVED, Order.State.PAID)


@transaction.atomic
def stock_reserve(*, order_id: int) -> None:
    """Take the order's quantities out of stock. Raises OutOfStock, and WrongState for a cancelled order."""
    order = order_lock(order_id=order_id)
    if order.state == Order.State.CANCELLED:
        raise WrongState(order_id, "reserving stock", order.state)
    if order.state != Order.State.PLACED:
        return
    lines = {line.product_id: line.quantity for line in order.lines.all()}
    # Always locked in the same order, so that two orders can't wait for each other.
    for product in Product.objects.select_for_update().filter(pk__in=lines).order_by("pk"):
        if product.stock < lines[product.pk]:
            raise OutOfStock(product.sku, lines[product.pk], product.stock)
        product.stock -= lines[product.pk]
        product.save(update_fields=["stock"])
    order.state = Order.State.RESERVED
    order.save(update_fields=["state", "changed_at"])
    step_done(order=order, name="reserve")


@transaction.atomic
def stock_release(*, order_id: int) -> None:
    """Cancel the order after a step failed for good: stock back, and a charge that may exist refunded.

    An order that is shipped stays so: what failed after it was the confirmation, and the goods are on their way.
    """
    order = order_lock(order_id=order_id)
    if order.state in (Order.State.SHIPPED, Order.State.FULFILLED, Order.State.CANCELLED):
        return
    if order.state in RESERVED_STATES:
        for line in order.lines.order_by("product_id"):
            Product.objects.filter(pk=line.product_id).update(stock=F("stock") + line.quantity)
    failed = order.steps.filter(outcome=OrderStep.Outcome.FAILED).last()
    order.cancel_reason = failed.detail if failed else "a step was stopped before it could say why"
    order.state = Order.State.CANCELLED
    order.save(update_fields=["state", "cancel_reason", "changed_at"])
    step_done(order=order, name="release")
    if order.charge_started_at is not None:
        publish("orders.refund_payment", order_id=order_id)


def stock_add(*, product_id: int, quantity: int) -> None:
    """Add to a product's stock; a negative *quantity* takes away. Raises IntegrityError when so much isn't there."""
    Product.objects.filter(pk=product_id).update(stock=F("stock") + quantity)
