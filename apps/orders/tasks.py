"""The steps of an order as tasks. Each takes the order's id alone, so any one may run twice."""

from __future__ import annotations

from datetime import timedelta

from config.limits import PAYMENT_RETRY_DELAYS
from tasks import RetryPolicy, Settled, task

from .services import charging, confirming, shipping, stock


def charge_settled(key: str) -> Settled | None:
    """Whether the charge under *key* went through, asked of the provider after a worker vanished in the middle."""
    order_id = int(key.split(":")[1])
    return Settled() if charging.payment_recognise(order_id=order_id) else None


@task("orders.reserve_stock", time_limit=timedelta(seconds=30), effect="database", once="orders:{order_id}:reserve")
def reserve_stock(order_id: int) -> None:
    """Take the order's quantities out of stock."""
    stock.stock_reserve(order_id=order_id)


@task(
    "orders.charge_payment",
    time_limit=timedelta(seconds=60),
    retry=RetryPolicy.after(*PAYMENT_RETRY_DELAYS),
    effect="external",
    once="orders:{order_id}:charge",
    reconcile=charge_settled,
)
def charge_payment(order_id: int) -> None:
    """Charge the customer, once."""
    charging.payment_take(order_id=order_id)


@task("orders.request_shipment", time_limit=timedelta(seconds=30), effect="database", once="orders:{order_id}:ship")
def request_shipment(order_id: int) -> None:
    """Ask the warehouse to ship."""
    shipping.shipment_request(order_id=order_id)


@task(
    "orders.send_confirmation",
    time_limit=timedelta(seconds=60),
    effect="external",
    once="orders:{order_id}:confirm",
    on_unknown="retry",  # better the same mail twice, under one Message-ID, than none
)
def send_confirmation(order_id: int) -> None:
    """Tell the customer that the goods are on their way."""
    confirming.confirmation_send(order_id=order_id)


@task("orders.release_stock", time_limit=timedelta(seconds=30), effect="database", once="orders:{order_id}:release")
def release_stock(order_id: int) -> None:
    """Cancel the order after a step failed for good."""
    stock.stock_release(order_id=order_id)


@task(
    "orders.refund_payment",
    time_limit=timedelta(seconds=60),
    retry=RetryPolicy.after(*PAYMENT_RETRY_DELAYS),
    effect="external",  # each job a key of its own: a charge that comes to light late is looked for again
    on_unknown="retry",  # the provider refunds once under the order's key
)
def refund_payment(order_id: int) -> None:
    """Give a cancelled order's money back, if any was taken."""
    charging.payment_return(order_id=order_id)
