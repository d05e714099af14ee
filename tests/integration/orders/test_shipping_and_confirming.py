"""The last two steps: one request to the warehouse, one mail."""

from __future__ import annotations

import pytest

from apps.notifications.errors import MailServerAway
from apps.orders.errors import WrongState
from apps.orders.models import Order, Shipment
from apps.orders.services.confirming import confirmation_send
from apps.orders.services.shipping import shipment_request
from tests import shop
from tests.concurrency import at_once
from tests.servers.mail import MailServer


@pytest.mark.django_db
def test_a_shipment_is_requested_once_however_often_the_step_is_delivered() -> None:
    """The warehouse packs what it is asked for, each time."""
    order = shop.shipped()

    shipment_request(order_id=order.pk)

    assert Shipment.objects.get().reference == f"RS-{order.pk:08d}"
    assert shop.steps_of(order).count(("ship", "done")) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("state", [Order.State.PLACED, Order.State.RESERVED, Order.State.CANCELLED])
def test_an_order_that_is_not_paid_is_not_shipped(state: Order.State) -> None:
    """Whatever message arrives."""
    order = shop.placed()
    Order.objects.update(state=state)

    with pytest.raises(WrongState, match=f"is {state.value}: shipping does not apply"):
        shipment_request(order_id=order.pk)

    assert not Shipment.objects.exists()
    assert shop.steps_of(order) == []


@pytest.mark.django_db
def test_the_confirmation_says_what_comes_and_what_it_cost(mail_server: MailServer) -> None:
    """And is sent once; a second delivery of the step finds it sent."""
    shop.product("TAPE", price_cents=695)
    order = shop.shipped({"KNIFE": 2, "TAPE": 1})

    confirmation_send(order_id=order.pk)
    confirmation_send(order_id=order.pk)

    (mail,) = mail_server.mails
    assert (mail["To"], mail["Subject"]) == ("ada@example.com", f"Your order {order.pk} is on its way")
    assert mail["Message-ID"].startswith(f"<order-{order.pk}-confirmation@")
    text = mail.get_content()
    assert all(words in text for words in (f"RS-{order.pk:08d}", "2 × Knife", "1 × Tape", "31.95 EUR"))
    assert shop.again(order).state == "fulfilled"


@pytest.mark.django_db
def test_an_order_that_is_not_shipped_is_not_confirmed(mail_server: MailServer) -> None:
    """Nobody is told of what isn't so."""
    order = shop.reserved()

    with pytest.raises(WrongState, match="is reserved: confirming does not apply"):
        confirmation_send(order_id=order.pk)

    assert mail_server.mails == []


@pytest.mark.django_db
def test_while_the_mail_server_is_away_the_order_stays_shipped(mail_server: MailServer) -> None:
    """The error is transient, so that the step is tried again."""
    order = shop.shipped()
    mail_server.stop()

    with pytest.raises(MailServerAway):
        confirmation_send(order_id=order.pk)

    assert shop.again(order).state == "shipped"
    assert shop.steps_of(order)[-1] == ("ship", "done")


@pytest.mark.django_db(transaction=True)
def test_delivered_to_many_at_once_it_is_shipped_once_and_confirmed_once(mail_server: MailServer) -> None:
    """The row lock makes them queue up."""
    order = shop.reserved()
    Order.objects.update(state=Order.State.PAID)

    assert at_once(4, lambda: shipment_request(order_id=order.pk)) == [None] * 4
    assert at_once(4, lambda: confirmation_send(order_id=order.pk)) == [None] * 4

    assert (Shipment.objects.count(), len(mail_server.mails)) == (1, 1)
    assert shop.steps_of(order) == [("reserve", "done"), ("ship", "done"), ("confirm", "done")]
