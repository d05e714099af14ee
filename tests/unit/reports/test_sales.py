"""Adding up a day."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.reports.errors import MixedCurrencies
from apps.reports.sales import Sale, Totals, amount_text

SALES = st.lists(
    st.builds(
        Sale,
        order_id=st.integers(1, 5),
        placed_at=st.just(datetime(2026, 1, 1, tzinfo=UTC)),
        sku=st.sampled_from("ABC"),
        product=st.just("a product"),
        quantity=st.integers(1, 1000),
        unit_price_cents=st.integers(1, 5_000_000),
        currency=st.just("eur"),
    )
).map(lambda sales: sorted(sales, key=lambda sale: sale.order_id))


@given(SALES)
def test_the_products_shares_add_up_to_the_total(sales: list[Sale]) -> None:
    """To the cent; orders are counted once each, however many lines they have."""
    totals = Totals()
    for sale in sales:
        totals.add(sale)
    assert totals.orders == len({sale.order_id for sale in sales})
    assert totals.items == sum(sale.quantity for sale in sales) == sum(p.quantity for p in totals.by_amount())
    assert totals.amount_cents == sum(p.amount_cents for p in totals.by_amount())
    shares = [product.amount_cents for product in totals.by_amount()]
    assert shares == sorted(shares, reverse=True)


def test_two_currencies_have_no_total() -> None:
    """Adding euros to dollars would be a figure of nothing."""
    totals = Totals()
    sale = Sale(
        order_id=1, placed_at=datetime.now(UTC), sku="A", product="A", quantity=1, unit_price_cents=1, currency="eur"
    )
    totals.add(sale)
    with pytest.raises(MixedCurrencies, match="eur and usd"):
        totals.add(
            Sale(
                order_id=2,
                placed_at=sale.placed_at,
                sku="A",
                product="A",
                quantity=1,
                unit_price_cents=1,
                currency="usd",
            )
        )


def test_amounts_are_exact_to_the_cent() -> None:
    """A float would lose cents above ninety billion."""
    assert amount_text(123456, "eur") == "1,234.56 EUR"
    assert amount_text(9_007_199_254_740_993, "eur") == "90,071,992,547,409.93 EUR"
    assert amount_text(0, "") == "0.00"
