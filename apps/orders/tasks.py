"""The steps of an order as tasks. Each takes the order's id alone, so any one may run twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from config.limits import PAYMENT_RETRY_DELAYS
from tasks import RetryPolicy, Settled, task

from .services import charging, confirming, reopening, shipping, stock


def charge_settled(key: str) -> Settled | None:
    """Whether the charge under *key* went through, asked of the provider after a worker vanished in the middle."""
    order_id = int(key.split(":")[1])
    return Settled() if charging.payment_recognise(order_id=order_id) else None


def cancel_order(letter: Any, arguments: dict[str, Any]) -> None:
    """A step has died: give back what the order holds, in the very transaction."""
    stock.stock_release(order_id=arguments["order_id"])


def reopen_order(letter: Any, arguments: dict[str, Any]) -> None:
    """The first step is redriven: it reserves by itself."""
    reopening.order_reopen(order_id=arguments["order_id"])


def take_up_order(letter: Any, arguments: dict[str, Any]) -> None:
    """A later step is redriven: what was given back is taken again, or the redrive is refused."""
    reopening.order_take_up(order_id=arguments["order_id"])


@task(
    "orders.reserve_stock",
    time_limit=timedelta(seconds=30),
    effect="database",
    once="orders:{order_id}:reserve",
    on_death=cancel_order,
    on_redrive=reopen_order,
)
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
    on_death=cancel_order,
    on_redrive=take_up_order,
)
def charge_payment(order_id: int) -> None:
    """Charge the customer, once."""
    charging.payment_take(order_id=order_id)


@task(
    "orders.request_shipment",
    time_limit=timedelta(seconds=30),
    effect="database",
    once="orders:{order_id}:ship",
    on_death=cancel_order,
    on_redrive=take_up_order,
)
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


@task("orders.release_stock", time_limit=timedelta(seconds=30))
def release_stock(order_id: int) -> None:
    """Cancel the order after a step failed for good: what chains call that were sent before steps had `on_death`."""
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
