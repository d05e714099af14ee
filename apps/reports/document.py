"""The PDF of a report: the totals, and each product's share. Pure but for the font that lies beside it.

The font has Latin, Greek and Cyrillic. A name may hold any character, so what the font lacks is written as its code
point, [U+4E2D], and the document says so; nothing is left out and nothing is turned into another character.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Container
from datetime import date, datetime
from pathlib import Path
from typing import Final

from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace, TTFFont

from .sales import Totals, amount_text

FONT_FILE: Final = Path(__file__).parent / "fonts" / "DejaVuSansReports.ttf"
FONT: Final = "DejaVu"
WIDTHS: Final = (30, 70, 18, 32)  # relative: SKU, product, quantity, amount
LACKING: Final = "Characters that this document's font lacks are given as [U+code point]; the CSV has them as they are."


class _Page(FPDF):
    """A4 with page numbers."""

    def footer(self) -> None:
        """Called by fpdf at the end of each page."""
        self.set_y(-15)
        self.set_font(FONT, size=8)
        self.cell(0, 10, f"{self.page_no()} / {{nb}}", align="R")


def sales_document(*, day: date, zone: str, totals: Totals, read_at: datetime) -> bytes:
    """The PDF of *totals*. read_at: when the sales were read, in the zone named *zone*."""
    pdf = _Page()
    pdf.add_font(FONT, fname=FONT_FILE)
    font = pdf.fonts[FONT.lower()]
    assert isinstance(font, TTFFont)  # noqa: S101 -- it came from a file
    known = font.cmap
    pdf.set_title(f"Sales of {day}")
    pdf.set_lang("en")
    pdf.add_page()
    _line(pdf, 18, f"Sales of {day}")
    _line(pdf, 9, f"The day in {zone}; as known at {read_at:%Y-%m-%d %H:%M:%S %Z}.")
    sums = amount_text(totals.amount_cents, totals.currency)
    _line(pdf, 11, f"{totals.orders:,} orders, {totals.items:,} items, {sums}")
    pdf.ln(4)
    rows = [
        (printable(product.sku, known), printable(product.product, known), product.quantity, product.amount_cents)
        for product in totals.by_amount()
    ]
    _table(pdf, rows, totals.currency)
    if any("[U+" in sku or "[U+" in name for sku, name, *_ in rows):
        pdf.ln(4)
        _line(pdf, 8, LACKING)
    return bytes(pdf.output())


def printable(text: str, known: Container[int]) -> str:
    """*text* with every character that is not in *known*, a set of code points, written as [U+code point]."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(character if ord(character) in known else f"[U+{ord(character):04X}]" for character in composed)


def _line(pdf: FPDF, size: int, text: str) -> None:
    pdf.set_font(FONT, size=size)
    pdf.multi_cell(0, size * 0.6, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _table(pdf: FPDF, rows: list[tuple[str, str, int, int]], currency: str) -> None:
    pdf.set_font(FONT, size=9)
    with pdf.table(
        col_widths=WIDTHS,
        text_align=("LEFT", "LEFT", "RIGHT", "RIGHT"),
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        headings_style=FontFace(color=(93, 107, 101)),  # bold would need a second font
        line_height=5,
    ) as table:
        table.row(("SKU", "Product", "Quantity", "Amount"))
        for sku, name, quantity, amount_cents in rows:
            table.row((sku, name, f"{quantity:,}", amount_text(amount_cents, currency)))
