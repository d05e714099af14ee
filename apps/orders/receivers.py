"""What the toolkit tells orders: an attempt at a step failed."""

from __future__ import annotations

from typing import Any, Final

from django.dispatch import receiver

from tasks import ReliableTask
from tasks.signals import attempt_failed

from .models import Order
from .services.history import step_failed

STEPS: Final = {
    "orders.reserve_stock": "reserve",
    "orders.charge_payment": "charge",
    "orders.request_shipment": "ship",
    "orders.send_confirmation": "confirm",
    "orders.refund_payment": "refund",
}


@receiver(attempt_failed, dispatch_uid="orders.note_failure")
def note_failure(*, task: ReliableTask[..., Any], error: Exception, **_: object) -> None:
    """Note it in the order's history, in the transaction that decides what comes of it."""
    step = STEPS.get(str(task.name))
    if step is not None:
        request: Any = task.request
        order_id = task.bound_arguments(request.args, request.kwargs)["order_id"]
        if not isinstance(error, Order.DoesNotExist):  # there would be nothing to note it on
            step_failed(order_id=order_id, name=step, error=error)
