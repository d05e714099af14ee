"""The plain pages of orders: placing one, watching it, and nobody else's."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from apps.orders.errors import OutOfStock
from apps.orders.models import Order
from apps.orders.services.history import step_failed
from apps.orders.services.stock import stock_release, stock_reserve
from config.limits import ORDER_MAX_TOTAL_CENTS
from tests import shop
from tests.concurrency import at_once
from tests.servers.messages import messages_take

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean_broker", "clean_cache")]

FORM = {
    "key": "8e03978e-40d5-43e8-bc93-6894a57f9324",
    "email": "ada@example.com",
    "payment_method": shop.VISA,
    "quantity-KNIFE": "2",
    "quantity-TAPE": "",
}


@pytest.fixture
def ada(client: Client) -> Client:
    """A customer who is logged in, in front of a catalogue of two."""
    shop.product("KNIFE", price_cents=1250)
    shop.product("TAPE", price_cents=695)
    client.force_login(shop.customer("ada"))
    return client


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("path", ["/", "/orders/", "/orders/1/"])
def test_without_a_login_the_login_page_is_shown(path: str, client: Client) -> None:
    """And afterwards one is where one wanted to go."""
    answer = client.get(path)

    assert answer.status_code == 302
    assert path in ("/", answer.headers["Location"].partition("next=")[2])


def test_an_order_is_placed_and_its_page_shown(ada: Client) -> None:
    """What was left empty isn't ordered; the fulfilment is on its way."""
    answer = ada.post("/orders/", FORM, follow=True)

    order = Order.objects.get()
    assert answer.redirect_chain == [(f"/orders/{order.pk}/", 302)]
    assert "Waiting for a worker." in answer.content.decode()
    assert [(line.product.sku, line.quantity) for line in order.lines.all()] == [("KNIFE", 2)]
    assert [message.args for message in messages_take("default")] == [[order.pk]]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"quantity-KNIFE": ""}, "Order at least one of something."),
        ({"quantity-KNIFE": "0"}, "Order at least one of something."),
        ({"quantity-KNIFE": "-1"}, "greater than or equal to 0"),
        ({"quantity-KNIFE": "1001"}, "less than or equal to 1000"),
        ({"email": "ada"}, "Enter a valid email address."),
        ({"key": ""}, "This field is required."),
        ({"key": "mine"}, "Enter a valid UUID."),
        ({"payment_method": "pm_mine"}, "Select a valid choice."),
        ({"quantity-GOLD": "1"}, "the most that can be charged at once"),
    ],
)
def test_a_form_that_makes_no_sense_is_shown_again_with_the_reason(
    change: dict[str, str], sentence: str, ada: Client
) -> None:
    """No order, no message, and what was typed is still there."""
    shop.product("GOLD", price_cents=ORDER_MAX_TOTAL_CENTS)

    answer = ada.post("/orders/", FORM | change)

    assert answer.status_code == 200
    assert sentence in answer.content.decode()
    assert not Order.objects.exists()
    assert messages_take("default") == []


def test_a_form_that_is_sent_twice_is_one_order(ada: Client) -> None:
    """A double click, or a reload of the answer: both lead to the same order's page."""
    shown = text(ada, "/orders/")
    (key,) = re.findall(r'name="key" value="([^"]+)"', shown)

    answers = [ada.post("/orders/", FORM | {"key": key}) for _ in range(2)]

    order = Order.objects.get()
    assert [answer.headers["Location"] for answer in answers] == [f"/orders/{order.pk}/"] * 2
    assert key not in text(ada, "/orders/")


def test_a_form_that_is_sent_at_the_same_moment_is_one_order(ada: Client) -> None:
    """Each in a process or thread of its own, as a double click arrives."""

    def send() -> str:
        client = Client()
        client.force_login(shop.customer("ada"))
        return client.post("/orders/", FORM).headers["Location"]

    addresses = at_once(4, send)

    assert addresses == [f"/orders/{Order.objects.get().pk}/"] * 4


def test_a_form_that_comes_back_with_something_else_in_it_is_asked_about(ada: Client) -> None:
    """The browser's way back leads to a form whose key is used up. Sent once more it is a new order."""
    ada.post("/orders/", FORM)
    changed = FORM | {"quantity-KNIFE": "3"}

    shown = ada.post("/orders/", changed).content.decode()

    assert "This form was sent before" in shown
    assert Order.objects.count() == 1
    (key,) = re.findall(r'name="key" value="([^"]+)"', shown)
    ada.post("/orders/", changed | {"key": key})
    assert Order.objects.count() == 2


def test_two_customers_may_have_the_same_key(ada: Client) -> None:
    ada.post("/orders/", FORM)
    eve = Client()
    eve.force_login(shop.customer("eve"))
    eve.post("/orders/", FORM)

    assert set(Order.objects.values_list("customer__username", flat=True)) == {"ada", "eve"}


def test_somebody_elses_order_is_not_there(ada: Client) -> None:
    """404, and not in the list."""
    other = shop.placed(by="eve")

    assert ada.get(f"/orders/{other.pk}/").status_code == 404
    assert f"/orders/{other.pk}/" not in text(ada, "/orders/")


def test_the_page_of_an_order_tells_how_far_it_has_come(ada: Client) -> None:
    """It reloads itself until nothing will change any more."""
    order = shop.reserved({"KNIFE": 2})

    page = text(ada, f"/orders/{order.pk}/")

    assert "25.00 €" in page
    assert "reserve" in page
    assert 'http-equiv="refresh"' in page


def test_the_page_of_a_cancelled_order_says_why(ada: Client) -> None:
    """In the words of the step that failed; and it stands still."""
    shop.product("RARE", stock=1)
    order = shop.placed({"RARE": 2})
    with pytest.raises(OutOfStock) as refused:
        stock_reserve(order_id=order.pk)
    step_failed(order_id=order.pk, name="reserve", error=refused.value)
    stock_release(order_id=order.pk)

    page = text(ada, f"/orders/{order.pk}/")

    assert "Cancelled: out of stock: 2 × RARE ordered, 1 left" in page
    assert 'http-equiv="refresh"' not in page


def test_an_address_is_shown_and_never_run(ada: Client) -> None:
    """What a customer typed is text, wherever it is shown."""
    ada.post("/orders/", FORM | {"email": '"<script>alert(1)</script>"@example.com'})

    assert "<script>alert" not in text(ada, "/orders/")


@pytest.mark.parametrize("page", ["2", "0", "x", "99999999999999999999"])
def test_any_page_of_the_list_is_shown(page: str, ada: Client) -> None:
    """One that isn't there shows the nearest that is."""
    shop.placed(by="ada")

    assert "Placed so far" in text(ada, f"/orders/?page={page}")
