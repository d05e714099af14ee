"""Taking and returning the money of an order. The only part of the pipeline that acts outside the database.

The provider is called with a key made of the order's id, so a call that is repeated, because the answer was lost or
the process died, charges once.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from tasks.enqueue.after_commit import publish

from ..errors import WrongState
from ..models import Order
from ..payments import payment_charge, payment_find, payment_refund
from .history import order_lock, step_done, step_noted


def payment_take(*, order_id: int) -> None:
    """Charge the order's total. Raises what `payment_charge` raises, and WrongState for a cancelled order."""
    with step_noted(order_id=order_id, name="charge"):
        order = _charge_started(order_id)
        if order is None:
            return
        charge = payment_charge(
            order_id=order_id,
            amount_cents=order.total_cents,
            currency=order.currency,
            payment_method=order.payment_method,
            idempotency_key=f"order-{order_id}",
        )
        _charge_noted(order_id, charge.id)


@transaction.atomic
def _charge_started(order_id: int) -> Order | None:
    """Commit that the provider is about to be called; None when the order is paid already."""
    order = order_lock(order_id=order_id)
    if order.state in (Order.State.PLACED, Order.State.CANCELLED):
        raise WrongState(order_id, "charging", order.state)
    if order.state != Order.State.RESERVED:
        return None
    if order.charge_started_at is None:
        order.charge_started_at = timezone.now()
        order.save(update_fields=["charge_started_at", "changed_at"])
    return order


@transaction.atomic
def _charge_noted(order_id: int, charge_id: str) -> None:
    order = order_lock(order_id=order_id)
    if order.charge_id:
        return
    order.charge_id = charge_id
    if order.state == Order.State.RESERVED:
        order.state = Order.State.PAID
    order.save(update_fields=["charge_id", "state", "changed_at"])
    step_done(order=order, name="charge", detail=charge_id)
    if order.state == Order.State.CANCELLED:  # while the provider was charging
        publish("orders.refund_payment", order_id=order_id)


def payment_return(*, order_id: int) -> None:
    """Refund a cancelled order, if the provider says that it charged. Raises Transient while it can't be asked."""
    with step_noted(order_id=order_id, name="refund"):
        order = Order.objects.get(pk=order_id)
        if order.refund_id or order.state != Order.State.CANCELLED or order.charge_started_at is None:
            return
        charge = payment_find(order_id=order_id, started_at=order.charge_started_at)
        if charge is None:
            return
        refund_id = payment_refund(charge_id=charge.id, idempotency_key=f"refund-order-{order_id}")
        with transaction.atomic():
            order = order_lock(order_id=order_id)
            if not order.refund_id:
                order.charge_id, order.refund_id = charge.id, refund_id
                order.save(update_fields=["charge_id", "refund_id", "changed_at"])
                step_done(order=order, name="refund", detail=refund_id)
