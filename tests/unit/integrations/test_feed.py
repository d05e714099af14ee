"""The supplier's feed is checked before anything of it is believed."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.integrations.errors import FeedMalformed
from apps.integrations.feed import page_read
from project.local.supplier_sandbox import catalogue

OFFER = {"sku": "SUP-1", "name": "Raffia", "price_cents": 450, "available": 3}


def page(**changes: Any) -> bytes:
    return json.dumps({"offers": [{**OFFER, **changes}], "next_cursor": None}).encode()


def test_a_page_as_agreed_is_read() -> None:
    """Fields that we don't know yet are left alone: a supplier may add some."""
    (offer,) = page_read(page(colour="straw")).offers
    assert offer.model_dump() == OFFER


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"price_cents": "450"}, "offers.0.price_cents"),
        ({"price_cents": 4.5}, "offers.0.price_cents"),
        ({"price_cents": 0}, "offers.0.price_cents"),
        ({"price_cents": 2**31}, "offers.0.price_cents"),
        ({"available": -1}, "offers.0.available"),
        ({"available": True}, "offers.0.available"),
        ({"name": "a\x00b"}, "offers.0.name"),
        ({"name": " "}, "offers.0.name"),
        ({"sku": "; DROP"}, "offers.0.sku"),
        ({"sku": None}, "offers.0.sku"),
    ],
)
def test_what_is_not_as_agreed_is_refused_by_its_place(changes: dict[str, Any], where: str) -> None:
    """The note on the run is all that somebody has to go by."""
    with pytest.raises(FeedMalformed, match=where):
        page_read(page(**changes))


def test_an_sku_twice_on_a_page_is_refused() -> None:
    """Which of the two prices would be right?"""
    with pytest.raises(FeedMalformed, match="twice"):
        page_read(json.dumps({"offers": [OFFER, OFFER], "next_cursor": None}).encode())


@given(
    st.one_of(
        st.binary(), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)
    )
)
def test_whatever_comes_is_a_page_or_refused(text: bytes) -> None:
    """Nothing that a supplier sends makes an error of another kind."""
    with suppress(FeedMalformed):
        page_read(text)


def test_the_sandboxs_catalogue_is_made_of_its_version_alone() -> None:
    """Tests in different processes must see the same one; from one version to the next some offers change."""
    first, again, second = catalogue(1, 450), catalogue(1, 450), catalogue(2, 450)
    assert first == again
    assert 400 < len(first) < 450
    before = {offer["sku"]: offer for offer in first}
    changed = [offer for offer in second if before.get(offer["sku"]) != offer]
    assert 30 < len(changed) < 80
