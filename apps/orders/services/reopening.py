"""Taking a cancelled order up again, when the step that failed for good is to be tried once more.

    cancelled ──▶ placed             reserve_stock is redriven, and reserves
    cancelled ──▶ reserved | paid    a later step is redriven: the stock is reserved anew, at once

Not once a refund has begun: the provider answers a charge under the order's key with the one that was refunded.
"""

from __future__ import annotations

from django.db import transaction

from ..errors import RefundBegun
from ..models import Order
from .history import order_lock, step_done
from .stock import stock_reserve


@transaction.atomic
def order_reopen(*, order_id: int) -> bool:
    """Let a cancelled order be placed again. False, and nothing is done, for one that isn't cancelled.

    Raises RefundBegun.
    """
    order = order_lock(order_id=order_id)
    if order.state != Order.State.CANCELLED:
        return False
    if order.refund_started_at is not None or order.refund_id:
        raise RefundBegun(order_id)
    order.state, order.cancel_reason = Order.State.PLACED, ""
    order.save(update_fields=["state", "cancel_reason", "changed_at"])
    step_done(order=order, name="reopen")
    return True


@transaction.atomic
def order_take_up(*, order_id: int) -> None:
    """Bring a cancelled order back to where it was. Raises RefundBegun, and OutOfStock when others have bought it."""
    if not order_reopen(order_id=order_id):
        return
    stock_reserve(order_id=order_id)
    order = order_lock(order_id=order_id)
    if order.charge_id:
        order.state = Order.State.PAID
        order.save(update_fields=["state", "changed_at"])
