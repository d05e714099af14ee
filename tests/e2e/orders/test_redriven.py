"""A dead step of an order that is put right: the order is taken up again and goes to its end, charged once."""

from __future__ import annotations

from typing import Any

import pytest

from apps.orders.models import Order, Product
from config.limits import PAYMENT_RETRY_DELAYS
from tasks.errors import RedriveRefused
from tasks.execution.redrive import redrive
from tasks.failure.letter_models import DeadLetter
from tasks.testing import dead_letters
from tests import shop
from tests.e2e.orders.floor import WITHIN, Floor
from tests.e2e.orders.test_fulfilment import FULFILLED


def dead_charge(floor: Floor, when: str = "before") -> tuple[Order, DeadLetter]:
    """An order that was cancelled as the provider was away for each attempt to charge, and the letter of the charge."""
    order = shop.placed({"KNIFE": 4})
    floor.payments.fault_arm("drop", when=when, times=len(PAYMENT_RETRY_DELAYS) + 1)
    floor.send([order])
    (order,) = floor.await_over(order)
    assert (order.state, shop.stock_of()) == ("cancelled", 10)
    (letter,) = dead_letters.expect(task="orders.charge_payment", reason="exhausted", error="PaymentUnavailable")
    return order, letter


def test_a_dead_charge_that_is_redriven_fulfils_the_order_and_charges_once(floor: Floor) -> None:
    """The order was cancelled and its stock given back; the redrive takes it again, and the chain goes on."""
    order, letter = dead_charge(floor)

    redrive(letter, by="ada")
    (order,) = floor.await_over(order)

    assert (order.state, order.cancel_reason, shop.stock_of()) == ("fulfilled", "", 6)
    assert floor.charges(order) == [4 * 1250]
    assert (floor.refunded(order), len(floor.mails(order))) == (0, 1)
    steps: list[Any] = [step for step in shop.steps_of(order) if step[1] == "done"]
    assert steps == [FULFILLED[0], ("release", "done"), ("reopen", "done"), *FULFILLED]
    letter.refresh_from_db()
    assert (letter.state, letter.redrives.get().outcome) == ("resolved", "succeeded")


def test_it_dies_again_is_cancelled_again_and_can_be_put_right_after_all(floor: Floor) -> None:
    """Each death gives the stock back, each redrive takes it."""
    order, letter = dead_charge(floor)
    floor.payments.fault_arm("drop", when="before", times=len(PAYMENT_RETRY_DELAYS) + 1)
    redrive(letter, by="ada")
    (again,) = dead_letters.expect(task="orders.charge_payment", within=WITHIN)
    floor.await_over(order)
    assert (again.deaths, shop.again(order).state, shop.stock_of()) == (2, "cancelled", 10)

    redrive(again, by="bob")
    (order,) = floor.await_over(order)
    assert (order.state, shop.stock_of(), floor.charges(order)) == ("fulfilled", 6, [4 * 1250])


def test_what_others_have_bought_since_keeps_it_from_being_redriven(floor: Floor) -> None:
    """The letter stays open, with nothing taken and nothing charged."""
    order, letter = dead_charge(floor)
    Product.objects.update(stock=3)
    with pytest.raises(RedriveRefused, match="OutOfStock: out of stock: 4 × KNIFE ordered, 3 left"):
        redrive(letter, by="ada")

    assert (shop.again(order).state, shop.stock_of(), floor.charges(order)) == ("cancelled", 3, [])
    dead_letters.expect(task="orders.charge_payment")


def test_what_was_charged_after_all_and_refunded_stays_cancelled(floor: Floor) -> None:
    """Every answer was lost, and the money is on its way back: the provider would answer with that charge again."""
    order, letter = dead_charge(floor, when="after")
    with pytest.raises(RedriveRefused, match="RefundBegun"):
        redrive(letter, by="ada")

    assert floor.refunded(order) == sum(floor.charges(order)) == 4 * 1250
