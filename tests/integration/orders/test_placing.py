"""Taking an order: rows at today's prices, or a refusal; nothing is sent, no stock is touched."""

from __future__ import annotations

import pytest

from apps.orders.errors import AmountOutOfRange, UnknownProduct
from apps.orders.models import Order
from apps.orders.services.placing import order_place
from config.limits import ORDER_MAX_TOTAL_CENTS
from tests import shop

pytestmark = pytest.mark.django_db


def test_an_order_keeps_the_prices_of_its_day() -> None:
    """A price that changes tomorrow doesn't change what was agreed today."""
    shop.product("KNIFE", price_cents=1250)
    shop.product("TAPE", price_cents=695)
    order = shop.placed({"KNIFE": 2, "TAPE": 3})

    shop.product("KNIFE").__class__.objects.update(price_cents=1)

    assert shop.again(order).total_cents == 2 * 1250 + 3 * 695
    lines = order.lines.order_by("product__sku").values_list("product__sku", "quantity", "unit_price_cents")
    assert list(lines) == [("KNIFE", 2, 1250), ("TAPE", 3, 695)]
    assert (order.state, order.currency, shop.stock_of()) == ("placed", "eur", 10)


def test_an_order_for_what_is_not_sold_is_refused() -> None:
    """And it says what, all of it."""
    shop.product("KNIFE")

    with pytest.raises(UnknownProduct, match="not in the catalogue: SPOON, FORK"):
        order_place(
            customer=shop.customer(),
            email="ada@example.com",
            quantities={"SPOON": 1, "KNIFE": 1, "FORK": 1},
            payment_method=shop.VISA,
        )

    assert not Order.objects.exists()


def test_an_order_for_more_than_can_be_charged_at_once_is_refused() -> None:
    """The provider would refuse it later, when the stock is taken already."""
    shop.product("GOLD", price_cents=ORDER_MAX_TOTAL_CENTS)
    assert shop.placed({"GOLD": 1}).total_cents == ORDER_MAX_TOTAL_CENTS

    with pytest.raises(AmountOutOfRange, match=f"comes to {2 * ORDER_MAX_TOTAL_CENTS} cents; the most"):
        shop.placed({"GOLD": 2})

    assert Order.objects.count() == 1
