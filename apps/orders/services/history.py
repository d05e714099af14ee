"""An order's row lock, and the record of what was tried on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..models import Order, OrderStep


def order_lock(*, order_id: int) -> Order:
    """The order, locked until the transaction ends. Raises Order.DoesNotExist."""
    return Order.objects.select_for_update().get(pk=order_id)


def step_done(*, order: Order, name: str, detail: str = "") -> None:
    """Note, in the step's own transaction, that it is done."""
    OrderStep.objects.create(order=order, name=name, outcome=OrderStep.Outcome.DONE, detail=detail[:300])


@contextmanager
def step_noted(*, order_id: int, name: str) -> Iterator[None]:
    """Around a whole step: an error that leaves it is noted, after its transaction was rolled back, and goes on."""
    try:
        yield
    except Order.DoesNotExist:
        raise  # there is nothing to note it on
    except Exception as error:
        OrderStep.objects.create(
            order_id=order_id, name=name, outcome=OrderStep.Outcome.FAILED, detail=str(error)[:300]
        )
        raise
