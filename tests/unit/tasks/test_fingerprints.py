"""Which deaths are told to have the same cause."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.failure.fingerprints import WORDS_MAX, culprit, fingerprint, normalised


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("order 17 has no customer", "order 18 has no customer"),
        ("no key 'abc' in the table", "no key 'xyz' in the table"),
        ("order 0c6d2f1e-5b7e-4a0b-9f0e-0d6b8d1f7a11 is gone", "order 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d is gone"),
        ("object at 0x7f9c4c1e", "object at 0x7f9c4d22"),
        ("took 1.5 s", "took 12.25 s"),
        ("digest deadbeef01 differs", "digest 0badcafe77 differs"),
        ("two  words", "two\nwords"),
    ],
)
def test_what_differs_from_job_to_job_makes_no_difference(one: str, other: str) -> None:
    assert fingerprint("ValueError", "shop:pay", one) == fingerprint("ValueError", "shop:pay", other)


@pytest.mark.parametrize(
    "other", [("KeyError", "shop:pay", "no"), ("ValueError", "shop:ship", "no"), ("ValueError", "shop:pay", "yes")]
)
def test_type_frame_and_words_make_one(other: tuple[str, str, str]) -> None:
    assert fingerprint("ValueError", "shop:pay", "no") != fingerprint(*other)


@given(st.text())
def test_any_message_has_one(message: str) -> None:
    """Halves of characters included: it is about errors."""
    assert len(fingerprint("E", "f", message)) == 32
    assert len(normalised(message)) <= WORDS_MAX


def test_the_culprit_is_the_innermost_frame_that_belongs_to_no_library() -> None:
    """Or ten thousand different mistakes would all be json's."""

    def read() -> Any:
        return json.loads("{")

    with pytest.raises(ValueError, match="Expecting") as raised:
        read()

    assert culprit(raised.tb) == f"{__name__}:{read.__qualname__}"
    assert culprit(None) == ""
