"""The HTTP API of orders: what it answers, to whom, and what it starts."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from apps.orders.models import Order
from config.limits import ORDER_MAX_TOTAL_CENTS
from tests import shop
from tests.servers.messages import messages_take

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean_broker", "clean_cache")]

ORDER = {"lines": [{"sku": "KNIFE", "quantity": 2}], "email": "ada@example.com", "payment_method": shop.VISA}


@pytest.fixture
def ada(client: Client) -> Client:
    """A customer who is logged in."""
    client.force_login(shop.customer("ada"))
    return client


def post(client: Client, body: Any) -> Any:
    """A request that means something new, so with a key of its own."""
    key = {"Idempotency-Key": f'"{uuid4()}"'}
    return client.post("/api/orders", body, content_type="application/json", headers=key)


def test_an_order_is_placed_and_its_fulfilment_started(ada: Client) -> None:
    """201 with the order; one message, the first step's, which carries the id and the rest of the chain."""
    shop.product("KNIFE", price_cents=1250)

    answer = post(ada, ORDER)

    order = Order.objects.get()
    body = answer.json()
    assert answer.status_code == 201
    assert (body["id"], body["state"], body["total_cents"], body["currency"]) == (order.pk, "placed", 2500, "eur")
    assert body["lines"] == [{"sku": "KNIFE", "quantity": 2, "unit_price_cents": 1250}]
    assert (order.customer.username, order.email) == ("ada", "ada@example.com")
    (message,) = messages_take("default")
    assert (message.task, message.args) == ("orders.reserve_stock", [order.pk])


@pytest.mark.parametrize(
    "change",
    [
        {"lines": []},
        {"lines": [{"sku": "KNIFE", "quantity": 0}]},
        {"lines": [{"sku": "KNIFE", "quantity": 1001}]},
        {"lines": [{"sku": "KNIFE", "quantity": 1.5}]},
        {"lines": [{"sku": "knife'--", "quantity": 1}]},
        {"lines": [{"sku": "SPOON", "quantity": 1}]},
        {"lines": [{"sku": "KNIFE", "quantity": 1}, {"sku": "KNIFE", "quantity": 2}]},
        {"lines": [{"sku": "GOLD", "quantity": 2}]},
        {"email": "ada"},
        {"email": "ada@example.com\nBcc: everybody@example.com"},
        {"email": f"{'a' * 250}@example.com"},
        {"payment_method": "4242424242424242"},
        {"payment_method": None},
    ],
    ids=str,
)
def test_an_order_that_makes_no_sense_is_refused_and_nothing_is_started(change: dict[str, Any], ada: Client) -> None:
    """422, with a reason; no row, no message."""
    shop.product("KNIFE")
    shop.product("GOLD", price_cents=ORDER_MAX_TOTAL_CENTS)

    answer = post(ada, ORDER | change)

    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], str)
    assert not Order.objects.exists()
    assert messages_take("default") == []


def test_a_refusal_says_where_and_why(ada: Client) -> None:
    """In one form, whether the types refuse it or the shop does."""
    line = {"sku": "KNIFE", "quantity": 0}

    assert post(ada, ORDER | {"lines": [line]}).json() == {
        "detail": "lines.0.quantity: Input should be greater than or equal to 1"
    }
    assert ada.get("/api/orders?page=0").json() == {"detail": "page: Input should be greater than or equal to 1"}


def test_what_is_not_json_is_refused(ada: Client) -> None:
    """400, as the request can't be read at all."""
    assert post(ada, "{").status_code == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [("get", "/api/orders"), ("post", "/api/orders"), ("get", "/api/orders/1"), ("get", "/api/orders/products")],
)
def test_without_a_login_nothing_is_told_or_taken(method: str, path: str, client: Client) -> None:
    """401 for a program, not a login form."""
    shop.product("KNIFE")

    answer = getattr(client, method)(path, ORDER if method == "post" else None, content_type="application/json")

    assert answer.status_code == 401
    assert not Order.objects.exists()


def test_a_request_that_another_site_made_the_browser_send_is_refused() -> None:
    """The login is a cookie, so a POST needs the token that only our own pages know."""
    shop.product("KNIFE")
    client = Client(enforce_csrf_checks=True)
    client.force_login(shop.customer("ada"))

    assert post(client, ORDER).status_code == 403
    assert not Order.objects.exists()


def test_customers_see_their_own_orders_only(ada: Client) -> None:
    """Somebody else's isn't there: 404, as for one that doesn't exist, so that ids tell nothing."""
    own, other = shop.placed(by="ada"), shop.placed(by="eve")

    assert [order["id"] for order in ada.get("/api/orders").json()["items"]] == [own.pk]
    assert ada.get(f"/api/orders/{own.pk}").status_code == 200
    assert ada.get(f"/api/orders/{other.pk}").status_code == 404
    assert ada.get("/api/orders/999999").json() == ada.get(f"/api/orders/{other.pk}").json()


def test_with_the_permission_to_view_orders_all_are_seen(client: Client) -> None:
    """For the shop's people, newest first."""
    orders = [shop.placed(by="ada"), shop.placed(by="eve")]
    clerk = shop.customer("clerk")
    clerk.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(clerk)

    listed = client.get("/api/orders").json()

    assert [order["id"] for order in listed["items"]] == [order.pk for order in reversed(orders)]
    assert listed["count"] == 2


def test_an_order_tells_every_attempt_at_each_step(ada: Client) -> None:
    """How far it has come, and what went wrong on the way."""
    order = shop.reserved()

    (step,) = ada.get(f"/api/orders/{order.pk}").json()["steps"]

    assert (step["name"], step["outcome"], step["detail"]) == ("reserve", "done", "")


@pytest.mark.parametrize("order_id", ["0", "-1", "x", "99999999999999999999"])
def test_an_id_that_cannot_be_one_is_refused(order_id: str, ada: Client) -> None:
    """422, before the database is asked."""
    assert ada.get(f"/api/orders/{order_id}").status_code == 422


@pytest.mark.parametrize("page", ["0", "-1", "x", "99999999999999999999"])
def test_a_page_that_cannot_be_one_is_refused(page: str, ada: Client) -> None:
    """The database can't skip so many rows; that is the caller's mistake, not the server's."""
    assert ada.get(f"/api/orders?page={page}").status_code == 422


def test_the_catalogue_is_told(ada: Client) -> None:
    """With what is left."""
    shop.product("KNIFE", price_cents=1250, stock=10)

    assert ada.get("/api/orders/products").json() == [
        {"sku": "KNIFE", "name": "Knife", "price_cents": 1250, "stock": 10}
    ]
