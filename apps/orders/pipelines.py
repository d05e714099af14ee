"""The order's way from placed to fulfilled."""

from __future__ import annotations

from typing import Any

from celery import chain
from celery.canvas import Signature

from .tasks import charge_payment, request_shipment, reserve_stock, send_confirmation


def fulfilment(order_id: int) -> Signature[Any]:
    """Reserve, charge, ship, confirm. Steps share the id alone, so any one may run twice.

    A step that dies cancels the order by itself (`on_death`), and takes it up again when it is redriven.
    """
    steps: Signature[Any] = chain(
        reserve_stock.si(order_id),
        charge_payment.si(order_id),
        request_shipment.si(order_id),
        send_confirmation.si(order_id),
    )
    return steps
