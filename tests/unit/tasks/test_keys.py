"""How a task's arguments become a key, and how calls are told apart."""

from __future__ import annotations

from datetime import timedelta
from inspect import signature
from typing import Any

import pytest

from tasks.errors import InvalidDeclaration
from tasks.execution.declaration import effect_attributes
from tasks.keys import KEY_MAX, check_key, check_template, fingerprint, key_for, without_defaults

LIMIT = timedelta(seconds=60)


def charge(order_id: int, currency: str = "eur") -> None: ...


def call(*args: Any, **kwargs: Any) -> dict[str, Any]:
    """The arguments by name, defaults included."""
    bound = signature(charge).bind(*args, **kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)


def print_of(*args: Any, **kwargs: Any) -> str:
    return fingerprint("orders.charge", without_defaults(call(*args, **kwargs), signature(charge)))


def test_a_key_is_made_of_the_parameters_by_a_template_or_a_function() -> None:
    assert key_for("orders:{order_id}:{currency}", call(7)) == "orders:7:eur"
    assert key_for(lambda order_id, currency: f"{currency}{order_id}", call(7)) == "eur7"


@pytest.mark.parametrize("key", ["", "x" * (KEY_MAX + 1), "a\x00b", "a\nb", "\ud800", None, 7])
def test_what_no_ledger_stores_is_no_key(key: Any) -> None:
    with pytest.raises(ValueError, match="printable text of 1 to 255 characters"):
        check_key(key)


@pytest.mark.parametrize("key", ["a", "é ü", "x" * KEY_MAX, "mail:ada@example.com"])
def test_any_printable_text_is_one(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("orders:{order}", "names 'order'; the parameters are order_id, currency"),
        ("orders:{order_id.pk}", "write plain parameter names"),
        ("orders:{order_id[0]}", "write plain parameter names"),
        ("orders:{}", "write plain parameter names"),
        ("orders", "is the same for every call"),
        ("orders:{", "is no template"),
    ],
)
def test_a_template_that_could_not_work_is_refused_where_it_is_declared(template: str, problem: str) -> None:
    with pytest.raises(InvalidDeclaration, match=problem):
        check_template("orders.charge", template, signature(charge))


def test_a_call_is_the_same_however_its_arguments_are_passed() -> None:
    assert print_of(7, "usd") == print_of(currency="usd", order_id=7)
    assert print_of(7) != print_of(8)
    assert print_of(7) != print_of(7, "usd")


def test_saying_what_the_default_says_is_the_same_call() -> None:
    assert print_of(7) == print_of(7, "eur")


def test_a_parameter_that_is_added_with_a_default_keeps_earlier_calls_the_same() -> None:
    """Messages of before a deploy are delivered again after it; they must not conflict with themselves."""

    def charge_before(order_id: int) -> None: ...

    assert print_of(7) == fingerprint("orders.charge", without_defaults({"order_id": 7}, signature(charge_before)))


def test_the_same_arguments_of_another_task_are_another_call() -> None:
    assert fingerprint("orders.charge", {"order_id": 7}) != fingerprint("orders.refund", {"order_id": 7})


def test_a_lease_shorter_than_the_time_limit_is_refused() -> None:
    """Its holder would be taken for dead while it works."""
    options = {"effect": "external", "lease": LIMIT - timedelta(seconds=1)}

    with pytest.raises(InvalidDeclaration, match="lease must not be below time_limit"):
        effect_attributes("orders.charge", charge, options, bind=False, time_limit=LIMIT)


def test_a_lease_outlasts_the_time_limit_unless_told_otherwise() -> None:
    attributes = effect_attributes("orders.charge", charge, {"effect": "external"}, bind=False, time_limit=LIMIT)

    assert attributes["lease"] > LIMIT
