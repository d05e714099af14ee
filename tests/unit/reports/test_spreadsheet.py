"""The CSV: whole, readable, and never a formula."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.reports.sales import Sale
from apps.reports.spreadsheet import ENCODING, FORMULA_STARTS, HEADINGS, SalesSheet, cell_text


def sale(**changes: Any) -> Sale:
    values = {
        "order_id": 7,
        "placed_at": datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
        "sku": "ROOT-001",
        "product": "Apple rootstock",
        "quantity": 3,
        "unit_price_cents": 1250,
        "currency": "eur",
    }
    return Sale(**{**values, **changes})


def written(*sales: Sale) -> str:
    text = io.StringIO(newline="")
    sheet = SalesSheet(text)
    for one in sales:
        sheet.write(one)
    return text.getvalue()


def test_a_row_says_what_was_sold_when_for_how_much() -> None:
    """Text is quoted and figures are not, so that a spreadsheet adds them up."""
    assert written(sale()).splitlines()[1] == (
        '7,"2026-03-29T01:30:00+00:00","ROOT-001","Apple rootstock",3,12.50,37.50,"EUR"'
    )


@given(st.text(), st.text())
def test_whatever_a_product_is_called_comes_back_whole_and_is_no_formula(sku: str, product: str) -> None:
    """A product called =HYPERLINK(...) must not run when the bookkeeper opens the file (OWASP, CSV injection)."""
    headings, row = csv.reader(io.StringIO(written(sale(sku=sku, product=product)), newline=""))
    assert tuple(headings) == HEADINGS
    for cell, text in ((row[2], sku), (row[3], product)):
        assert not cell.startswith(FORMULA_STARTS)
        assert cell in (text, f"'{text}")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_what_a_spreadsheet_would_calculate_gets_an_apostrophe(start: str) -> None:
    """The list is OWASP's."""
    assert cell_text(f"{start}1+1") == f"'{start}1+1"


def test_the_file_begins_with_a_mark_that_tells_excel_its_encoding() -> None:
    """Otherwise Łódź is opened as ÅÃ³dÅº."""
    assert written(sale(product="Łódź")).encode(ENCODING).startswith(b"\xef\xbb\xbf")
