"""Hooks that could not be called are refused on the line that declares them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tasks import task
from tasks.errors import InvalidDeclaration

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("hook", ["on_death", "on_redrive"])
@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("cancel_order", "must be a function of the letter and the arguments, not 'cancel_order'"),
        (lambda letter: None, "is called with the letter and the arguments, but too many positional arguments"),
        (lambda letter, arguments, order: None, "but missing a required argument: 'order'"),
    ],
)
def test_a_hook_that_cannot_be_called_is_refused(hook: str, given: Any, problem: str) -> None:
    """It would show when a job dies, or when somebody tries to put that right."""
    options: dict[str, Any] = {hook: given}
    with pytest.raises(InvalidDeclaration, match=f"{hook} .*{problem}"):

        @task("unit.hooked", time_limit=MINUTE, **options)
        def hooked() -> None: ...


def test_a_declared_hook_is_the_tasks_and_is_not_taken_for_a_method() -> None:
    """It is called with the letter and the arguments, and nothing before them."""

    def hook(letter: Any, arguments: dict[str, Any]) -> Any:
        return letter, arguments

    @task("unit.put_right", time_limit=MINUTE, on_redrive=hook)
    def put_right() -> None: ...

    found: Any = put_right
    assert found.on_redrive("letter", {}) == ("letter", {})
    assert found.on_death is None
