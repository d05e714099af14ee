"""The catalogue in the admin, while orders are placed."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from apps.orders.models import Product
from apps.orders.services.stock import stock_reserve
from tests import shop

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clerk() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def saved(clerk: Client, product: Product, **fields: object) -> bool:
    """Post the form with what it shows, but for *fields*. Returns whether it was taken."""
    shown = {"sku": product.sku, "name": product.name, "price_cents": product.price_cents, "added": ""}
    answer = clerk.post(f"/admin/orders/product/{product.pk}/change/", {**shown, "stock": 10, **fields})
    return answer.status_code == 302


def test_what_is_sold_while_the_form_is_open_stays_sold(clerk: Client) -> None:
    """Renaming a product must not bring it back."""
    product = shop.product(stock=10)
    stock_reserve(order_id=shop.placed({"KNIFE": 7}).pk)
    assert saved(clerk, product, name="A better name")
    product.refresh_from_db()
    assert (product.name, product.stock) == ("A better name", 3)


def test_a_delivery_is_added_to_what_is_left(clerk: Client) -> None:
    """And what is broken is taken away, as long as it is there."""
    product = shop.product(stock=10)
    stock_reserve(order_id=shop.placed({"KNIFE": 7}).pk)
    assert saved(clerk, product, added=5)
    assert shop.stock_of() == 8
    assert saved(clerk, product, added=-8)
    assert shop.stock_of() == 0
    assert not saved(clerk, product, added=-1)
    assert shop.stock_of() == 0


def test_a_new_product_has_the_stock_that_it_is_given(clerk: Client) -> None:
    """There is nothing to add to."""
    new = {"sku": "SAW", "name": "A saw", "price_cents": 990, "stock": 4}
    assert clerk.post("/admin/orders/product/add/", new).status_code == 302
    assert shop.stock_of("SAW") == 4
