"""What is secret is blacked out, wherever it stands, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.failure.redaction import BLACK, DEPTH_MAX, Redaction, TaskSecrets, is_secret

TASKS = {
    "shop.charge": TaskSecrets(frozenset({"card", "pin"}), ("order_id", "card")),
    "shop.mail": TaskSecrets(parameters=("address", "password")),
}


def redaction() -> Redaction:
    return Redaction(lambda name: TASKS.get(name, TaskSecrets()))


@pytest.mark.parametrize(
    "name",
    ["password", "user_password", "api_key", "apiKey", "API_KEY", "X-Auth-Token", "clientSecret"],
)
def test_names_that_say_so_are_secret(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name", ["tokens_used", "passwords_changed_at", "secretary", "idempotency_key", "key", "author"]
)
def test_names_that_only_sound_like_it_are_not(name: str) -> None:
    assert not is_secret(name)


def test_declared_names_are_found_by_position_by_name_and_inside() -> None:
    found = redaction()

    assert found.call("shop.charge", [7, "4000-0566"], {"more": [{"pin": 1234, "kept": 1}]}) == (
        [7, BLACK],
        {"more": [{"pin": BLACK, "kept": 1}]},
    )
    assert found.found == {"4000-0566", "1234"}


def test_a_link_is_redacted_by_what_its_own_task_declares() -> None:
    """What follows a job is a call of another task."""
    link = {"task": "shop.charge", "args": [7, "4000-0566"], "kwargs": {"pin": "1"}, "options": {"task_id": "x"}}

    shown = redaction().inside({"chain": [link], "callbacks": None})

    assert shown["chain"] == [{**link, "args": [7, BLACK], "kwargs": {"pin": BLACK}}]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("card 4000-0566 was refused", f"card {BLACK} was refused"),
        ("{'pin': 12}, 4 of 120", f"{{'pin': {BLACK}}}, 4 of 120"),
        ("12-4000-0566-12", f"{BLACK}-{BLACK}-{BLACK}"),
    ],
)
def test_values_that_were_found_are_blacked_out_of_texts(text: str, shown: str) -> None:
    """Short ones only where they stand by themselves, or every 12 would go."""
    found = redaction()
    found.call("shop.charge", [7, "4000-0566"], {"pin": 12})

    assert found.text(text) == shown


def test_what_is_nested_too_deep_to_be_looked_through_is_not_shown() -> None:
    deep: Any = {"password": "hidden below"}
    for _ in range(DEPTH_MAX + 10):
        deep = [deep]
    found = redaction()

    assert "hidden below" not in json.dumps(found.inside(deep))
    assert found.is_cut


NAMES = st.text().filter(lambda name: not is_secret(name))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
)


@given(JSON)
def test_without_a_secret_name_nothing_is_changed(value: Any) -> None:
    """Names are texts of any other kind."""
    found = redaction()
    shown = found.inside(value)

    assert found.is_cut or shown == value


@given(st.text(min_size=1).filter(lambda text: text != BLACK), JSON)
def test_a_secret_is_in_no_part_of_what_is_shown(secret: str, beside: Any) -> None:
    found = redaction()
    shown = found.inside({"beside": beside, "inner": [{"password": secret}]})

    assert shown["inner"] == [{"password": BLACK}]
