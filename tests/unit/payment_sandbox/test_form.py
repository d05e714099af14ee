"""Reading forms with names in brackets."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from project.local.payment_sandbox.errors import ApiError
from project.local.payment_sandbox.form import MAX_DEPTH, MAX_FIELDS, Form, form_decode

NAMES = st.text(st.characters(exclude_characters="[]", exclude_categories=["Cs"]), min_size=1, max_size=8)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FORMS = st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES, min_size=1, max_size=3), max_size=5)


def test_names_in_brackets_are_objects_and_lists() -> None:
    """The shapes that the SDK sends, and the one that people type."""
    assert form_decode("amount=5&metadata[order_id]=7&metadata[note]=a%20b") == {
        "amount": "5",
        "metadata": {"order_id": "7", "note": "a b"},
    }
    assert form_decode("types[0]=card&types[1]=link") == {"types": {"0": "card", "1": "link"}}
    assert form_decode("types[]=card&types[]=link") == {"types": {"0": "card", "1": "link"}}
    assert form_decode("a[b][c]=1&a[b][d]=2") == {"a": {"b": {"c": "1", "d": "2"}}}
    assert form_decode("") == {}
    assert form_decode("a=1&a=2&b=") == {"a": "2", "b": ""}


@given(FORMS)
def test_what_is_encoded_is_read_back(form: Form) -> None:
    """Whatever is in names and values, brackets in names apart."""
    pairs = []
    for name, value in form.items():
        if isinstance(value, str):
            pairs.append((name, value))
        else:
            pairs += [(f"{name}[{inner}]", str(text)) for inner, text in value.items()]
    assert form_decode(urlencode(pairs)) == form


@pytest.mark.parametrize(
    "encoded",
    [
        "[a]=1",
        "a[b=1",
        "a]b=1",
        "a[b]c=1",
        "a[[b]]=1",
        "=1",
        "a=1&a[b]=2",
        "a[b]=1&a=2",
        "a[b]=1&a[b][c]=2",
        "a=%ff",
        "a" + "[b]" * MAX_DEPTH + "=1",
        "&".join(f"a{number}=1" for number in range(MAX_FIELDS + 1)),
    ],
)
def test_malformed_names_are_refused(encoded: str) -> None:
    """Never half understood: a parameter that is read wrongly is another payment than was meant."""
    with pytest.raises(ApiError) as caught:
        form_decode(encoded)
    assert caught.value.status == 400


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(encoded: str) -> None:
    """A form or an ApiError, and no third thing."""
    try:
        form = form_decode(encoded)
    except ApiError:
        return
    assert all(isinstance(name, str) for name in form)
