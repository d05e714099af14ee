"""The PDF: every name in it can be read, whatever alphabet it is in."""

from __future__ import annotations

import re
import zlib
from datetime import UTC, date, datetime

from fpdf import FPDF
from fpdf.fonts import TTFFont
from hypothesis import given
from hypothesis import strategies as st

from apps.reports.document import FONT_FILE, LACKING, printable, sales_document
from apps.reports.sales import Sale, Totals


def known_characters() -> frozenset[int]:
    pdf = FPDF()
    pdf.add_font("font", fname=FONT_FILE)
    font = pdf.fonts["font"]
    assert isinstance(font, TTFFont)
    return frozenset(font.cmap)


KNOWN = known_characters()


def document(*names: str) -> bytes:
    totals = Totals()
    for number, name in enumerate(names):
        totals.add(
            Sale(
                order_id=number,
                placed_at=datetime(2026, 1, 1, tzinfo=UTC),
                sku=f"SKU-{number}",
                product=name,
                quantity=1,
                unit_price_cents=1250,
                currency="eur",
            )
        )
    read_at = datetime(2026, 1, 2, 9, tzinfo=UTC)
    return sales_document(day=date(2026, 1, 1), zone="Europe/Berlin", totals=totals, read_at=read_at)


def text_of(pdf: bytes) -> str:
    """What a reader that copies text out of *pdf* gets: glyphs turned back by the font's own ToUnicode table."""
    streams = [unpacked(data) for data in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)]
    table: dict[int, str] = {}
    for stream in streams:
        for glyph, code in re.findall(rb"<([0-9A-F]{4})> <([0-9A-F]+)>\n", stream):
            table[int(glyph, 16)] = bytes.fromhex(code.decode()).decode("utf-16-be")
    strings = [string for stream in streams for string in re.findall(rb"\(((?:\\.|[^\\)])*)\) Tj", stream, re.DOTALL)]
    return "\n".join("".join(table[glyph] for glyph in glyphs(string)) for string in strings)


def unpacked(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error:
        return data


def glyphs(string: bytes) -> list[int]:
    escapes = {b"r": b"\r", b"n": b"\n"}
    raw = re.sub(rb"\\(.)", lambda match: escapes.get(match[1], match[1]), string, flags=re.DOTALL)
    return [int.from_bytes(raw[at : at + 2]) for at in range(0, len(raw), 2)]


def test_european_names_are_in_it_as_they_are() -> None:
    """The fonts that every PDF reader has know Western Europe only."""
    text = text_of(document("Łódź", "Ωμέγα", "Жук", "Nguyễn", "1 € – “x”"))
    for name in ("Łódź", "Ωμέγα", "Жук", "Nguyễn", "1 € – “x”"):
        assert name in text
    assert LACKING not in text


def test_what_the_font_lacks_is_given_by_code_point_and_the_document_says_so() -> None:
    """A question mark in its place would hide that something is missing."""
    text = text_of(document("苹果 🍎"))
    assert "[U+82F9][U+679C] [U+1F34E]" in text
    assert LACKING in text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_nothing_of_a_name_is_left_out_and_everything_can_be_shown(name: str) -> None:
    """Each character is either itself or its code point."""
    shown = printable(name, KNOWN)
    assert all(ord(character) in KNOWN for character in shown)
    again = re.sub(r"\[U\+([0-9A-F]{4,6})\]", lambda match: chr(int(match[1], 16)), shown)
    assert printable(again, KNOWN) == shown


def test_a_day_without_sales_is_a_document_too() -> None:
    """Nothing sold is a figure."""
    assert "0 orders, 0 items, 0.00" in text_of(document())


def test_a_long_name_and_many_products_go_over_pages() -> None:
    """Nothing runs off the paper."""
    pdf = document(*[f"{'Wort ' * 24}{number}" for number in range(80)])
    assert text_of(pdf).count("SKU-") == 80
    assert len(re.findall(rb"/Type /Page\b", pdf)) > 2
