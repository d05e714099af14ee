"""Taking and returning the money of an order: our rows and the provider's books agree, whatever happens twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.orders.errors import WrongState
from apps.orders.models import Order
from apps.orders.payment_errors import CardDeclined, ChargeUnsettled, PaymentUnavailable
from apps.orders.payments import payment_charge
from apps.orders.services.charging import payment_return, payment_take
from apps.orders.services.stock import stock_release, stock_reserve
from config.limits import PAYMENT_RETRY_DELAYS, PAYMENT_SETTLES
from tasks.testing.waiting import eventually
from tests import shop
from tests.concurrency import at_once
from tests.servers.messages import messages_take
from tests.servers.payment_sandbox import PaymentSandbox

EMPTY = {"paid": 0, "charged": 0, "refunded": 0}


def totals(sandbox: PaymentSandbox) -> dict[str, int]:
    return {**EMPTY, **sandbox.books()["totals"].get("eur", {})}


@pytest.mark.django_db
def test_a_charge_is_taken_once_however_often_the_step_is_delivered(payment_sandbox: PaymentSandbox) -> None:
    """The second delivery finds the order paid, and asks nobody."""
    order = shop.reserved({"KNIFE": 2})

    payment_take(order_id=order.pk)
    payment_sandbox.kill()
    payment_take(order_id=order.pk)
    payment_sandbox.start()

    order = shop.again(order)
    assert (order.state, totals(payment_sandbox)["charged"]) == ("paid", order.total_cents)
    assert shop.steps_of(order) == [("reserve", "done"), ("charge", "done")]
    assert order.charge_id == payment_sandbox.books()["charges"][0]["id"]


@pytest.mark.django_db
def test_an_answer_that_was_lost_is_asked_for_again_under_the_same_key(
    payment_sandbox: PaymentSandbox,
) -> None:
    """The provider charged and we don't know it: the next attempt gets that charge."""
    order = shop.reserved()
    payment_sandbox.fault_arm("drop", when="after")

    with pytest.raises(PaymentUnavailable):
        payment_take(order_id=order.pk)
    assert (shop.again(order).state, totals(payment_sandbox)["charged"]) == ("reserved", order.total_cents)
    payment_take(order_id=order.pk)

    assert (shop.again(order).state, totals(payment_sandbox)["charged"]) == ("paid", order.total_cents)
    assert shop.steps_of(order) == [("reserve", "done"), ("charge", "done")]


@pytest.mark.django_db
def test_a_declined_card_is_not_charged(payment_sandbox: PaymentSandbox) -> None:
    """It is an error of its own, which is never tried again."""
    order = shop.placed(card=shop.DECLINED)
    Order.objects.update(state=Order.State.RESERVED)

    with pytest.raises(CardDeclined, match="declined"):
        payment_take(order_id=order.pk)

    assert totals(payment_sandbox) == EMPTY


@pytest.mark.django_db
@pytest.mark.parametrize("state", [Order.State.PLACED, Order.State.CANCELLED])
def test_an_order_that_is_not_reserved_is_not_charged(state: Order.State, payment_sandbox: PaymentSandbox) -> None:
    """A step that is delivered late, or before its time, must not cost the customer money."""
    order = shop.placed()
    Order.objects.update(state=state)

    with pytest.raises(WrongState, match="charging does not apply"):
        payment_take(order_id=order.pk)

    assert totals(payment_sandbox) == EMPTY


@pytest.mark.django_db(transaction=True)
def test_one_order_delivered_to_many_at_once_is_charged_once(payment_sandbox: PaymentSandbox) -> None:
    """Those that come while the first is under way are told to come again, or get its answer."""
    order = shop.reserved()
    payment_sandbox.fault_arm("hang", when="during", seconds=0.3)

    outcomes = at_once(5, lambda: payment_take(order_id=order.pk))

    assert all(outcome is None or isinstance(outcome, PaymentUnavailable) for outcome in outcomes)
    assert None in outcomes
    assert (shop.again(order).state, totals(payment_sandbox)) == (
        "paid",
        {"paid": 1, "charged": order.total_cents, "refunded": 0},
    )
    assert shop.steps_of(order).count(("charge", "done")) == 1


@pytest.mark.django_db(transaction=True)
def test_an_order_that_is_cancelled_while_the_provider_charges_is_refunded(
    payment_sandbox: PaymentSandbox, clean_broker: str
) -> None:
    """The charge is noted on the cancelled order, and its refund is sent on its way."""
    order = shop.reserved()
    payment_sandbox.fault_arm("hang", when="during", seconds=0.5)
    steps = iter([payment_take, cancel_once_asked(payment_sandbox)])

    assert at_once(2, lambda: next(steps)(order_id=order.pk)) == [None, None]

    assert {message.task for message in messages_take("critical")} == {"orders.refund_payment"}
    payment_return(order_id=order.pk)
    payment_return(order_id=order.pk)
    order = shop.again(order)
    assert (order.state, shop.stock_of()) == ("cancelled", 10)
    assert totals(payment_sandbox) == {"paid": 1, "charged": order.total_cents, "refunded": order.total_cents}
    assert order.refund_id


def cancel_once_asked(sandbox: PaymentSandbox) -> Callable[..., None]:
    """What cancels an order when the provider has taken the request, and not answered yet."""

    def cancel(*, order_id: int) -> None:
        eventually(lambda: not sandbox.faults())
        stock_release(order_id=order_id)

    return cancel


@pytest.mark.django_db
def test_a_cancelled_orders_unknown_charge_is_found_and_refunded_once(payment_sandbox: PaymentSandbox) -> None:
    """We died between the provider's charge and our note of it: the provider is asked."""
    order = shop.reserved()
    charged_without_our_knowledge(order)
    stock_release(order_id=order.pk)

    payment_return(order_id=order.pk)
    payment_return(order_id=order.pk)

    order = shop.again(order)
    assert totals(payment_sandbox) == {"paid": 1, "charged": order.total_cents, "refunded": order.total_cents}
    assert (order.charge_id, bool(order.refund_id)) == (payment_sandbox.books()["charges"][0]["id"], True)
    assert shop.steps_of(order).count(("refund", "done")) == 1


@pytest.mark.django_db
def test_an_attempt_that_may_still_be_carried_out_is_waited_for(payment_sandbox: PaymentSandbox) -> None:
    """We gave up, the provider didn't: the refund asks again until the charge shows, or can't come any more."""
    order = shop.reserved()
    Order.objects.update(charge_started_at=timezone.now())
    stock_release(order_id=order.pk)

    with pytest.raises(ChargeUnsettled, match=f"order {order.pk}: the payment provider has not heard of a charge"):
        payment_return(order_id=order.pk)
    charged_without_our_knowledge(order)
    payment_return(order_id=order.pk)

    assert totals(payment_sandbox)["refunded"] == order.total_cents


@pytest.mark.django_db
def test_a_charge_that_never_came_is_not_waited_for_for_ever(payment_sandbox: PaymentSandbox) -> None:
    """The provider was away all the time."""
    order = shop.reserved()
    Order.objects.update(charge_started_at=timezone.now())
    stock_release(order_id=order.pk)
    Order.objects.update(changed_at=timezone.now() - PAYMENT_SETTLES)

    payment_return(order_id=order.pk)

    assert totals(payment_sandbox) == EMPTY


@pytest.mark.django_db
def test_a_declined_card_is_an_answer_that_nobody_waits_for(payment_sandbox: PaymentSandbox) -> None:
    """The provider knows the attempt, and took nothing."""
    order = shop.placed(card=shop.DECLINED)
    stock_reserve(order_id=order.pk)
    with pytest.raises(CardDeclined):
        payment_take(order_id=order.pk)
    stock_release(order_id=order.pk)

    payment_return(order_id=order.pk)

    assert totals(payment_sandbox) == EMPTY


def test_the_last_attempt_to_refund_comes_when_every_charge_is_settled() -> None:
    """Then its word is the last."""
    assert sum(PAYMENT_RETRY_DELAYS, timedelta(0)) > PAYMENT_SETTLES


@pytest.mark.django_db
def test_an_order_that_was_never_charged_is_not_refunded(payment_sandbox: PaymentSandbox) -> None:
    """Nor is one that isn't cancelled, whoever asks for it."""
    cancelled, paid = shop.reserved(), shop.reserved()
    stock_release(order_id=cancelled.pk)
    payment_take(order_id=paid.pk)

    payment_return(order_id=cancelled.pk)
    payment_return(order_id=paid.pk)

    assert totals(payment_sandbox) == {"paid": 1, "charged": paid.total_cents, "refunded": 0}
    assert not shop.again(paid).refund_id


@pytest.mark.django_db
def test_a_refund_is_asked_for_only_when_there_may_be_a_charge() -> None:
    """The provider isn't troubled with orders that it never heard of."""
    never, maybe = shop.reserved(), shop.reserved()
    Order.objects.filter(pk=maybe.pk).update(charge_started_at=timezone.now())

    stock_release(order_id=never.pk)
    stock_release(order_id=maybe.pk)

    assert [message.kwargs for message in messages_take("critical")] == [{"order_id": maybe.pk}]


def charged_without_our_knowledge(order: Order) -> None:
    """As after a crash between the provider's answer and our commit."""
    Order.objects.filter(pk=order.pk).update(charge_started_at=timezone.now())
    payment_charge(
        order_id=order.pk,
        amount_cents=order.total_cents,
        currency="eur",
        payment_method=order.payment_method,
        idempotency_key=f"order-{order.pk}",
    )
