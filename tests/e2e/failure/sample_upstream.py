"""A task that calls an upstream, which a file takes away, and one that doesn't."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

from tasks import RetryBudget, RetryPolicy, Transient, task
from tests.e2e.effects.sample_tasks import note

LIMIT: Final = timedelta(seconds=60)

# RETRY_TIME_SCALE is 0.01 in the suite: a first pause of a second, and no longer than four.
BUDGET: Final = RetryBudget(least=10, pause=timedelta(seconds=100), longest=timedelta(seconds=400))


def outage(diary: str) -> Path:
    """The file that takes the upstream away while it is there."""
    return Path(f"{diary}.outage")


@task("sample.call_upstream", time_limit=LIMIT, retry=RetryPolicy(max_retries=5), budget=BUDGET)
def call_upstream(diary: str, number: int) -> None:
    if outage(diary).exists():
        note(f"{diary}.failures", "failed")
        raise Transient("the upstream is away")
    note(diary, f"called {number}")


@task("sample.mind_own_business", time_limit=LIMIT)
def mind_own_business(diary: str, number: int) -> None:
    note(diary, f"own {number}")
