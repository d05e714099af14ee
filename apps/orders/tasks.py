"""The steps of an order as tasks. Each takes the order's id alone, so any one may run twice."""

from __future__ import annotations

from datetime import timedelta

from config.limits import PAYMENT_RETRY_DELAYS
from tasks import RetryPolicy, task

from .services import charging, confirming, shipping, stock


@task("orders.reserve_stock", time_limit=timedelta(seconds=30))
def reserve_stock(order_id: int) -> None:
    """Take the order's quantities out of stock."""
    stock.stock_reserve(order_id=order_id)


@task("orders.charge_payment", time_limit=timedelta(seconds=60), retry=RetryPolicy.after(*PAYMENT_RETRY_DELAYS))
def charge_payment(order_id: int) -> None:
    """Charge the customer, once."""
    charging.payment_take(order_id=order_id)


@task("orders.request_shipment", time_limit=timedelta(seconds=30))
def request_shipment(order_id: int) -> None:
    """Ask the warehouse to ship."""
    shipping.shipment_request(order_id=order_id)


@task("orders.send_confirmation", time_limit=timedelta(seconds=60))
def send_confirmation(order_id: int) -> None:
    """Tell the customer that the goods are on their way."""
    confirming.confirmation_send(order_id=order_id)


@task("orders.release_stock", time_limit=timedelta(seconds=30))
def release_stock(order_id: int) -> None:
    """Cancel the order after a step failed for good."""
    stock.stock_release(order_id=order_id)


@task("orders.refund_payment", time_limit=timedelta(seconds=60), retry=RetryPolicy.after(*PAYMENT_RETRY_DELAYS))
def refund_payment(order_id: int) -> None:
    """Give a cancelled order's money back, if any was taken."""
    charging.payment_return(order_id=order_id)
