"""An order's row lock, and the record of what was tried on it."""

from __future__ import annotations

from ..models import Order, OrderStep


def order_lock(*, order_id: int) -> Order:
    """The order, locked until the transaction ends. Raises Order.DoesNotExist."""
    return Order.objects.select_for_update().get(pk=order_id)


def step_done(*, order: Order, name: str, detail: str = "") -> None:
    """Note, in the step's own transaction, that it is done."""
    OrderStep.objects.create(order=order, name=name, outcome=OrderStep.Outcome.DONE, detail=detail[:300])


def step_failed(*, order_id: int, name: str, error: Exception) -> None:
    """Note that an attempt at a step failed, and why."""
    OrderStep.objects.create(order_id=order_id, name=name, outcome=OrderStep.Outcome.FAILED, detail=str(error)[:300])
