"""Taking and returning the money of an order. The only part of the pipeline that acts outside the database.

The provider is called with a key made of the order's id, so a call that is repeated, because the answer was lost or
the process died, charges once.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from config.limits import PAYMENT_KEY_KEPT, PAYMENT_SETTLES
from tasks.enqueue.outbox import publish

from ..errors import WrongState
from ..models import Order
from ..payment_errors import ChargeUnsettled
from ..payments import payment_attempted, payment_charge, payment_find, payment_refund
from .history import order_lock, step_done


def payment_take(*, order_id: int) -> None:
    """Charge the order's total. Raises what `payment_charge` raises, and WrongState for a cancelled order."""
    order = _charge_started(order_id)
    if order.state == Order.State.CANCELLED:
        raise WrongState(order_id, "charging", order.state)
    if order.state != Order.State.RESERVED:
        return
    if _provider_may_have_forgotten(order) and payment_recognise(order_id=order_id):
        return
    charge = payment_charge(
        order_id=order_id,
        amount_cents=order.total_cents,
        currency=order.currency,
        payment_method=order.payment_method,
        idempotency_key=f"order-{order_id}",
    )
    _charge_noted(order_id, charge.id)


def payment_recognise(*, order_id: int) -> bool:
    """Note the charge that an earlier attempt brought about, if there is one. Raises PaymentUnavailable."""
    order = Order.objects.get(pk=order_id)
    if order.charge_started_at is None:
        return False
    charge = payment_find(order_id=order_id, started_at=order.charge_started_at)
    if charge is not None:
        _charge_noted(order_id, charge.id)
    return charge is not None


def _provider_may_have_forgotten(order: Order) -> bool:
    """Whether the first attempt is so long ago that the provider no longer knows its key."""
    started_at = order.charge_started_at
    return started_at is not None and timezone.now() - started_at > PAYMENT_KEY_KEPT


@transaction.atomic
def _charge_started(order_id: int) -> Order:
    """Commit that the provider is about to be called, for an order that is to be charged."""
    order = order_lock(order_id=order_id)
    if order.state == Order.State.PLACED:
        raise WrongState(order_id, "charging", order.state)
    if order.state == Order.State.CANCELLED and order.charge_started_at is not None:
        # An attempt before this one may have been charging while the order was cancelled.
        publish("orders.refund_payment", order_id=order_id)
    if order.state == Order.State.RESERVED and order.charge_started_at is None:
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
    """Refund a cancelled order, if the provider says that it charged.

    Raises Transient while it can't be asked. An attempt that we gave up may still be carried out: for PAYMENT_SETTLES
    from the cancellation on, ChargeUnsettled (transient) is raised when the provider knows of none.
    """
    order = Order.objects.get(pk=order_id)
    if order.refund_id or order.state != Order.State.CANCELLED or order.charge_started_at is None:
        return
    charge = payment_find(order_id=order_id, started_at=order.charge_started_at)
    if charge is None:
        unsettled = timezone.now() < order.changed_at + PAYMENT_SETTLES
        if unsettled and not payment_attempted(order_id=order_id, started_at=order.charge_started_at):
            raise ChargeUnsettled(order_id)
        return
    if not _refund_started(order_id):
        return
    refund_id = payment_refund(charge_id=charge.id, idempotency_key=f"refund-order-{order_id}")
    with transaction.atomic():
        order = order_lock(order_id=order_id)
        if not order.refund_id:
            order.charge_id, order.refund_id = charge.id, refund_id
            order.save(update_fields=["charge_id", "refund_id", "changed_at"])
            step_done(order=order, name="refund", detail=refund_id)


@transaction.atomic
def _refund_started(order_id: int) -> bool:
    """Commit that the provider is about to refund. False for an order that was taken up again in the meantime."""
    order = order_lock(order_id=order_id)
    if order.state != Order.State.CANCELLED:
        return False
    if order.refund_started_at is None:
        order.refund_started_at = timezone.now()
        order.save(update_fields=["refund_started_at", "changed_at"])
    return True
