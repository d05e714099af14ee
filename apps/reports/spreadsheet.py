"""The CSV of a report, safe to open in a spreadsheet program. Pure but for the file it is given."""

from __future__ import annotations

import csv
from decimal import Decimal
from typing import Final, Protocol

from .sales import Sale

# Excel takes a file without it for its own code page, and names in it for something else.
ENCODING: Final = "utf-8-sig"
HEADINGS: Final = ("order", "placed at", "SKU", "product", "quantity", "unit price", "amount", "currency")

# A cell that begins with one of these is a formula to a spreadsheet program (OWASP, "CSV Injection"); the second row
# are the full-width forms, which some programs read as the same.
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001


class TextFile(Protocol):
    """What csv writes to."""

    def write(self, text: str, /) -> object:
        """Take *text*."""


class SalesSheet:
    """Writes sales to *file*, one row each, under HEADINGS. The file is opened with ENCODING and newline=""."""

    def __init__(self, file: TextFile) -> None:
        self._writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        self._writer.writerow(HEADINGS)

    def write(self, sale: Sale) -> None:
        """Add one row. Prices are in units of the currency."""
        self._writer.writerow(
            [
                sale.order_id,
                sale.placed_at.isoformat(timespec="seconds"),
                cell_text(sale.sku),
                cell_text(sale.product),
                sale.quantity,
                Decimal(sale.unit_price_cents).scaleb(-2),
                Decimal(sale.amount_cents).scaleb(-2),
                cell_text(sale.currency.upper()),
            ]
        )


def cell_text(text: str) -> str:
    """*text*, with an apostrophe before it if a spreadsheet program would calculate it."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
