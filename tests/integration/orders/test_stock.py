"""Reserving stock and giving it back, also twice and also at once."""

from __future__ import annotations

import pytest
from django.db.models import Sum

from apps.orders.errors import OutOfStock, WrongState
from apps.orders.models import Order, OrderLine, OrderStep
from apps.orders.services.history import step_failed
from apps.orders.services.stock import stock_release, stock_reserve
from tests import shop
from tests.concurrency import at_once


@pytest.mark.django_db
def test_stock_is_taken_once_however_often_the_step_is_delivered() -> None:
    """A second delivery finds the work done."""
    order = shop.placed({"KNIFE": 4})

    stock_reserve(order_id=order.pk)
    stock_reserve(order_id=order.pk)

    assert (shop.again(order).state, shop.stock_of()) == ("reserved", 6)
    assert shop.steps_of(order) == [("reserve", "done")]


@pytest.mark.django_db
def test_an_order_for_more_than_there_is_takes_nothing() -> None:
    """Not of the product that is short, and not of the others."""
    shop.product("RARE", stock=1)
    order = shop.placed({"KNIFE": 1, "RARE": 2})

    with pytest.raises(OutOfStock, match="out of stock: 2 × RARE ordered, 1 left"):
        stock_reserve(order_id=order.pk)

    assert (shop.stock_of("KNIFE"), shop.stock_of("RARE"), shop.again(order).state) == (10, 1, "placed")
    assert shop.steps_of(order) == []


@pytest.mark.django_db
def test_a_cancelled_order_takes_no_stock() -> None:
    """The step may be delivered again after the cancellation."""
    order = shop.placed()
    stock_release(order_id=order.pk)

    with pytest.raises(WrongState, match=f"order {order.pk} is cancelled: reserving stock does not apply"):
        stock_reserve(order_id=order.pk)

    assert shop.stock_of() == 10


@pytest.mark.django_db
def test_a_cancellation_gives_the_stock_back_once() -> None:
    """However often it is delivered, and it says which step it was for."""
    order = shop.reserved({"KNIFE": 4})
    step_failed(order_id=order.pk, name="charge", error=WrongState(order.pk, "charging", "odd"))

    stock_release(order_id=order.pk)
    stock_release(order_id=order.pk)

    order = shop.again(order)
    assert (order.state, shop.stock_of()) == ("cancelled", 10)
    assert order.cancel_reason == f"order {order.pk} is odd: charging does not apply"
    assert shop.steps_of(order) == [("reserve", "done"), ("charge", "failed"), ("release", "done")]


@pytest.mark.django_db
def test_a_cancellation_of_what_was_never_reserved_gives_nothing_back() -> None:
    """Stock must not grow."""
    order = shop.placed({"KNIFE": 4})

    stock_release(order_id=order.pk)

    assert (shop.again(order).state, shop.stock_of()) == ("cancelled", 10)
    assert shop.again(order).cancel_reason == "a step was stopped before it could say why"


@pytest.mark.django_db
def test_what_is_on_its_way_is_not_cancelled() -> None:
    """What failed after the shipment was the mail about it."""
    order = shop.shipped({"KNIFE": 4})

    stock_release(order_id=order.pk)

    assert (shop.again(order).state, shop.stock_of()) == ("shipped", 6)


@pytest.mark.django_db
def test_a_step_of_an_order_that_is_gone_says_so() -> None:
    """The reason, and not that it couldn't be written down."""
    with pytest.raises(Order.DoesNotExist):
        stock_reserve(order_id=404)

    assert not OrderStep.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_one_order_delivered_to_many_at_once_is_reserved_once() -> None:
    """The row lock lets one through; the others find its work."""
    order = shop.placed({"KNIFE": 4})

    assert at_once(6, lambda: stock_reserve(order_id=order.pk)) == [None] * 6

    assert shop.stock_of() == 6
    assert shop.steps_of(order) == [("reserve", "done")]


@pytest.mark.django_db(transaction=True)
def test_reserving_and_cancelling_at_once_leave_the_stock_right() -> None:
    """Whichever comes first."""
    for _ in range(5):
        order = shop.placed({"KNIFE": 4})
        calls = iter([stock_reserve, stock_release] * 2)
        at_once(4, lambda: next(calls)(order_id=order.pk))  # noqa: B023 -- used before the next turn

        assert (shop.again(order).state, shop.stock_of()) == ("cancelled", 10)


@pytest.mark.django_db(transaction=True)
def test_orders_for_the_same_products_in_any_order_do_not_wait_for_each_other_for_ever() -> None:
    """Rows are locked in one order; in two, PostgreSQL would find a deadlock and kill one of them."""
    shop.product("A", stock=100)
    shop.product("B", stock=100)
    orders = [shop.placed(quantities) for quantities in [{"A": 1, "B": 1}, {"B": 1, "A": 1}] * 6]
    waiting = iter(orders)

    assert at_once(12, lambda: stock_reserve(order_id=next(waiting).pk)) == [None] * 12

    assert (shop.stock_of("A"), shop.stock_of("B")) == (88, 88)


@pytest.mark.django_db(transaction=True)
def test_twenty_orders_race_for_three_in_stock() -> None:
    """Three get one each; the others are told; stock never goes below zero, which the database would refuse too."""
    shop.product("RARE", stock=3)
    orders = [shop.placed({"RARE": 1}) for _ in range(20)]
    waiting = iter(orders)

    outcomes = at_once(20, lambda: stock_reserve(order_id=next(waiting).pk))

    assert sum(outcome is None for outcome in outcomes) == 3
    assert sum(isinstance(outcome, OutOfStock) for outcome in outcomes) == 17
    assert shop.stock_of("RARE") == 0
    taken = OrderLine.objects.filter(order__state=Order.State.RESERVED).aggregate(Sum("quantity"))
    assert taken == {"quantity__sum": 3}
