"""A budget that could not be kept is refused on the line that declares it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tasks import RetryBudget, task
from tasks.errors import InvalidDeclaration

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("budget", "problem"),
    [
        (0.5, r"budget must be a RetryBudget\(...\), not 0.5"),
        (RetryBudget(share=0), "share must be above 0 and at most 1, not 0"),
        (RetryBudget(share=50), "share must be above 0 and at most 1, not 50"),
        (RetryBudget(least=0), "least must be a whole number above 0, not 0"),
        (RetryBudget(probes=True), "probes must be a whole number above 0, not True"),
        (RetryBudget(window=timedelta(0)), "window must be a timedelta above zero"),
        (RetryBudget(pause=15), "pause must be a timedelta above zero, not 15"),  # type: ignore[arg-type]
        (RetryBudget(pause=MINUTE, longest=MINUTE / 2), r"longest must not be below pause \(0:01:00\)"),
    ],
)
def test_a_budget_that_cannot_be_kept_is_refused(budget: Any, problem: str) -> None:
    """It would show in the middle of an outage."""
    with pytest.raises(InvalidDeclaration, match=problem):

        @task("unit.overdrawn", time_limit=MINUTE, budget=budget)
        def overdrawn() -> None: ...


def test_a_declared_budget_is_the_tasks() -> None:
    """And a task without one has none: nothing is asked for it."""

    @task("unit.budgeted", time_limit=MINUTE, budget=RetryBudget(least=5))
    def budgeted() -> None: ...

    @task("unit.boundless", time_limit=MINUTE)
    def boundless() -> None: ...

    assert (budgeted.budget, boundless.budget) == (RetryBudget(least=5), None)


def test_scaling_shortens_the_pauses_alone() -> None:
    """What is counted, and how far back, stays what was declared."""
    scaled = RetryBudget(pause=MINUTE, longest=10 * MINUTE).scaled(0.5)

    assert scaled == RetryBudget(pause=MINUTE / 2, longest=5 * MINUTE)
