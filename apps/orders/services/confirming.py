"""The mail that says an order is on its way."""

from __future__ import annotations

from django.db import transaction

from apps.notifications.services.mailing import mail_send

from ..errors import WrongState
from ..models import Order
from .history import order_lock, step_done


@transaction.atomic
def confirmation_send(*, order_id: int) -> None:
    """Mail the customer of a shipped order. Raises WrongState, and Transient while the mail server is away.

    The row lock makes deliveries queue up, so the mail goes out once; only a crash between the server's answer and
    the commit sends it again, under the same Message-ID.
    """
    order = order_lock(order_id=order_id)
    if order.state == Order.State.FULFILLED:
        return
    if order.state != Order.State.SHIPPED:
        raise WrongState(order_id, "confirming", order.state)
    lines = "\n".join(f"  {line.quantity} × {line.product.name}" for line in order.lines.select_related("product"))
    mail_send(
        to=order.email,
        subject=f"Your order {order.pk} is on its way",
        body=(
            f"Thank you. We have shipped, as {order.shipment.reference}:\n\n{lines}\n\n"
            f"Total: {order.total_cents / 100:.2f} {order.currency.upper()}\n"
        ),
        key=f"order-{order.pk}-confirmation",
    )
    order.state = Order.State.FULFILLED
    order.save(update_fields=["state", "changed_at"])
    step_done(order=order, name="confirm")
