"""Orders on their whole way through real workers, a real payment provider and a real mail server."""

from __future__ import annotations

from itertools import pairwise

import pytest
from django.test import Client

from apps.orders.models import Order, Shipment
from config.limits import PAYMENT_RETRY_DELAYS
from tasks.testing.waiting import eventually
from tests import shop
from tests.e2e.orders.floor import SCALE, STRIPE_TIMEOUT, Floor

FULFILLED = [("reserve", "done"), ("charge", "done"), ("ship", "done"), ("confirm", "done")]
WORKER_OF = {
    "orders.reserve_stock": {"default"},
    "orders.charge_payment": {"critical"},
    "orders.request_shipment": {"default"},
    "orders.send_confirmation": {"low"},
}


def test_an_order_is_reserved_charged_shipped_and_confirmed(floor: Floor, client: Client) -> None:
    """One step after the other, each on the worker of its class; charged once, told once."""
    shop.product("KNIFE", price_cents=1250)
    client.force_login(shop.customer())
    body = {"lines": [{"sku": "KNIFE", "quantity": 2}], "email": "ada@example.com", "payment_method": shop.VISA}

    key = {"Idempotency-Key": '"one"'}
    placed = client.post("/api/orders", body, content_type="application/json", headers=key).json()
    (order,) = floor.await_over(Order.objects.get(pk=placed["id"]))

    assert (order.state, shop.steps_of(order), shop.stock_of()) == ("fulfilled", FULFILLED, 8)
    assert floor.charges(order) == [2500]
    (mail,) = floor.mails(order)
    assert mail["To"] == "ada@example.com"
    assert floor.ran_on(shop.customer()) == WORKER_OF


def test_a_declined_card_cancels_the_order_and_is_not_tried_again(floor: Floor) -> None:
    """The stock is back, and the customer reads the bank's reason."""
    order = shop.placed({"KNIFE": 2}, card=shop.DECLINED)

    floor.send([order])
    (order,) = floor.await_over(order)

    assert (order.state, shop.stock_of()) == ("cancelled", 10)
    assert "declined" in order.cancel_reason
    assert shop.steps_of(order) == [("reserve", "done"), ("charge", "failed"), ("release", "done")]
    assert (floor.charges(order), len(floor.payments_of(order)), floor.mails(order)) == ([], 1, [])


def test_an_order_for_more_than_there_is_is_cancelled_and_not_charged(floor: Floor) -> None:
    """The provider never hears of it."""
    order = shop.placed({"KNIFE": 11})

    floor.send([order])
    (order,) = floor.await_over(order)

    assert (order.state, shop.stock_of()) == ("cancelled", 10)
    assert order.cancel_reason == "out of stock: 11 × KNIFE ordered, 10 left"
    assert shop.steps_of(order) == [("reserve", "failed"), ("release", "done")]
    assert floor.charges(order) == []


def test_a_payment_whose_answer_is_lost_twice_is_charged_once(floor: Floor) -> None:
    """The provider charged at the first attempt, and was silent; the third gets that charge under the same key."""
    order = shop.placed()
    floor.payments.fault_arm("hang", when="after", times=2, seconds=10 * STRIPE_TIMEOUT)

    floor.send([order])
    (order,) = floor.await_over(order)

    assert order.state == "fulfilled"
    charges = [step for step in shop.steps_of(order) if step[0] == "charge"]
    assert charges == [("charge", "failed"), ("charge", "failed"), ("charge", "done")]
    assert floor.charges(order) == [order.total_cents]


def test_a_provider_in_trouble_is_asked_again_after_the_declared_waits(floor: Floor) -> None:
    """10, 30 and 90 s, times the scale: no sooner, and not much later."""
    order = shop.placed()
    floor.payments.fault_arm("status", status=503, times=3)

    floor.send([order])
    (order,) = floor.await_over(order)

    assert (order.state, floor.charges(order)) == ("fulfilled", [order.total_cents])
    attempts = [step.ended_at for step in order.steps.filter(name="charge")]
    waits = [later - earlier for earlier, later in pairwise(attempts)]
    assert len(waits) == 3
    for wait, declared in zip(waits, PAYMENT_RETRY_DELAYS, strict=False):
        assert declared * SCALE <= wait < declared * SCALE + PAYMENT_RETRY_DELAYS[0] * 0.8


def test_a_charge_that_we_never_heard_of_is_refunded_when_the_order_is_cancelled(floor: Floor) -> None:
    """Every answer was lost: the order is cancelled after the last attempt, and then the provider is asked."""
    order = shop.placed()
    floor.payments.fault_arm("drop", when="after", times=len(PAYMENT_RETRY_DELAYS) + 1)

    floor.send([order])
    (order,) = floor.await_over(order)

    assert (order.state, shop.stock_of()) == ("cancelled", 10)
    assert (floor.charges(order), floor.refunded(order)) == ([order.total_cents], order.total_cents)
    assert shop.steps_of(order).count(("charge", "failed")) == len(PAYMENT_RETRY_DELAYS) + 1
    assert shop.steps_of(order)[-1] == ("refund", "done")


def test_a_charge_that_the_provider_makes_after_we_gave_up_is_refunded(floor: Floor) -> None:
    """It is slower than all our attempts together: when the order is cancelled there is nothing to refund yet."""
    order = shop.placed()
    attempts = sum((delay.total_seconds() for delay in PAYMENT_RETRY_DELAYS), 0.0) * SCALE
    # Of the four seconds for which the refund is tried, three are for what makes our attempts later than declared.
    floor.payments.fault_arm("hang", when="during", seconds=STRIPE_TIMEOUT + attempts + 3)

    floor.send([order])
    (order,) = floor.await_over(order)

    assert (order.state, shop.stock_of()) == ("cancelled", 10)
    assert ("refund", "failed") in shop.steps_of(order)
    assert (floor.charges(order), floor.refunded(order)) == ([order.total_cents], order.total_cents)


def test_a_child_that_is_killed_while_the_provider_charges_costs_nobody_anything(floor: Floor) -> None:
    """The job goes back to its queue; the next child asks under the same key."""
    order = shop.placed()
    floor.payments.fault_arm("hang", when="during", seconds=0.25)

    floor.send([order])
    eventually(lambda: shop.again(order).charge_started_at and not floor.payments.faults())
    for pid in floor.workers["critical"].child_pids():
        floor.workers["critical"].exec_run(f"kill -KILL {pid}")
    (order,) = floor.await_over(order)

    assert (order.state, floor.charges(order), len(floor.mails(order))) == ("fulfilled", [order.total_cents], 1)


def test_twenty_orders_race_for_three_in_stock(floor: Floor) -> None:
    """Three are fulfilled, seventeen cancelled, none is charged for what it doesn't get."""
    shop.product("RARE", price_cents=8900, stock=3)
    orders = [shop.placed({"RARE": 1}) for _ in range(20)]

    floor.send(orders)
    orders = floor.await_over(*orders)

    fulfilled = [order for order in orders if order.state == "fulfilled"]
    assert (len(fulfilled), shop.stock_of("RARE")) == (3, 0)
    assert {order.state for order in orders} == {"fulfilled", "cancelled"}
    assert [floor.charges(order) for order in orders] == [
        [8900] if order.state == "fulfilled" else [] for order in orders
    ]


@pytest.mark.parametrize("card", [shop.VISA, shop.DECLINED])
def test_every_step_delivered_twice_leaves_the_same_end(card: str, floor: Floor) -> None:
    """Two whole pipelines for each order, on two children of each class at once."""
    orders = [shop.placed(card=card) for _ in range(4)]

    floor.send(orders * 2)
    orders = floor.await_over(*orders)

    paid = card == shop.VISA
    assert {order.state for order in orders} == {"fulfilled" if paid else "cancelled"}
    assert shop.stock_of() == (6 if paid else 10)
    assert Shipment.objects.count() == (4 if paid else 0)
    for order in orders:
        assert floor.charges(order) == ([order.total_cents] if paid else [])
        assert len(floor.mails(order)) == (1 if paid else 0)
        done = [name for name, outcome in shop.steps_of(order) if outcome == "done"]
        assert done == (["reserve", "charge", "ship", "confirm"] if paid else ["reserve", "release"])
