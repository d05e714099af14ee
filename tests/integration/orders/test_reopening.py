"""Taking a cancelled order up again, and what keeps it cancelled."""

from __future__ import annotations

import pytest
from django.utils import timezone

from apps.orders.errors import OutOfStock, RefundBegun
from apps.orders.models import Order, Product
from apps.orders.payments import payment_find
from apps.orders.services.charging import payment_return
from apps.orders.services.reopening import order_reopen, order_take_up
from apps.orders.services.stock import stock_release
from tests import shop
from tests.concurrency import at_once
from tests.servers.payment_sandbox import PaymentSandbox


def cancelled() -> Order:
    order = shop.reserved({"KNIFE": 4})
    stock_release(order_id=order.pk)
    return shop.again(order)


@pytest.mark.django_db
def test_a_cancelled_order_is_taken_up_with_its_stock() -> None:
    """Where it was before it was cancelled."""
    order = cancelled()
    order_take_up(order_id=order.pk)

    assert (shop.again(order).state, shop.again(order).cancel_reason, shop.stock_of()) == ("reserved", "", 6)
    assert shop.steps_of(order)[-2:] == [("reopen", "done"), ("reserve", "done")]


@pytest.mark.django_db
def test_one_that_was_paid_is_paid_again_unless_it_was_refunded() -> None:
    """What died was the shipment; its refund had not begun."""
    order = cancelled()
    Order.objects.update(charge_id="pi_1")
    order_take_up(order_id=order.pk)
    assert shop.again(order).state == "paid"

    stock_release(order_id=order.pk)
    Order.objects.update(refund_started_at=timezone.now())
    with pytest.raises(RefundBegun, match="is being refunded, or was"):
        order_take_up(order_id=order.pk)
    assert (shop.again(order).state, shop.stock_of()) == ("cancelled", 10)


@pytest.mark.django_db
def test_one_whose_first_step_died_is_placed_again_and_reserves_by_itself() -> None:
    """The stock is not taken twice."""
    order = shop.placed({"KNIFE": 4})
    stock_release(order_id=order.pk)

    assert order_reopen(order_id=order.pk)
    assert (shop.again(order).state, shop.stock_of()) == ("placed", 10)
    assert not order_reopen(order_id=order.pk)


@pytest.mark.django_db
def test_one_that_others_have_bought_empty_stays_cancelled() -> None:
    """All of it is undone."""
    order = cancelled()
    Product.objects.update(stock=3)

    with pytest.raises(OutOfStock):
        order_take_up(order_id=order.pk)
    assert (shop.again(order).state, shop.stock_of()) == ("cancelled", 3)
    assert shop.steps_of(order)[-1] == ("release", "done")


@pytest.mark.django_db(transaction=True)
def test_taken_up_by_many_at_once_it_is_taken_up_once() -> None:
    """The order's lock lets one through; the others find nothing to do."""
    order = cancelled()
    assert at_once(5, lambda: order_take_up(order_id=order.pk)) == [None] * 5

    assert (shop.again(order).state, shop.stock_of()) == ("reserved", 6)


@pytest.mark.django_db(transaction=True)
def test_a_refund_that_was_on_its_way_finds_the_order_taken_up_and_gives_nothing_back(
    payment_sandbox: PaymentSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had read that the order is cancelled, and then found the charge that was made for the redriven step."""
    from apps.orders.services import charging

    order = shop.reserved({"KNIFE": 4})
    charging.payment_take(order_id=order.pk)
    Order.objects.update(state="cancelled")

    def found_too_late(**facts: object) -> object:
        Order.objects.update(state="paid")
        return payment_find(**facts)  # type: ignore[arg-type]

    monkeypatch.setattr(charging, "payment_find", found_too_late)
    payment_return(order_id=order.pk)

    assert (shop.again(order).refund_started_at, shop.again(order).refund_id) == (None, "")
    assert [charge["refunded"] for charge in payment_sandbox.books()["charges"]] == [0]
