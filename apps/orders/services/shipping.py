"""Asking the warehouse to ship."""

from __future__ import annotations

from django.db import transaction

from ..errors import WrongState
from ..models import Order, Shipment
from .history import order_lock, step_done


@transaction.atomic
def shipment_request(*, order_id: int) -> None:
    """Write the one shipment of a paid order. Raises WrongState for an order that isn't paid."""
    order = order_lock(order_id=order_id)
    if order.state in (Order.State.SHIPPED, Order.State.FULFILLED):
        return
    if order.state != Order.State.PAID:
        raise WrongState(order_id, "shipping", order.state)
    shipment = Shipment.objects.create(order=order, reference=f"RS-{order_id:08d}")
    order.state = Order.State.SHIPPED
    order.save(update_fields=["state", "changed_at"])
    step_done(order=order, name="ship", detail=shipment.reference)
