"""The retry budget of a task: how much may fail before its circuit opens. Declared on the task, kept by `circuit.py`.

    @task("orders.charge_payment", time_limit=..., budget=RetryBudget(share=0.5, window=timedelta(minutes=1)))

An outage upstream fails every job of a task, each as often as its policy allows, until thousands are dead. With a
budget, the jobs of that task wait in the outbox instead while too many of its attempts fail, uncounted, and a few at
a time find out whether the upstream is back. Other tasks of the same queue go on. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from ..errors import InvalidDeclaration

ZERO = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBudget:
    """When a task's circuit opens, and how it is tried again.

    share: opens when at least so much of all attempts failed, above 0 and at most 1. What a `Permanent` says is about
        one job, not about the upstream: it counts as an attempt, not as a failed one.
    least: and at least so many attempts were made in the window.
    window: how far back attempts are counted.
    pause: how long nothing is tried after it opened; each time that a probe fails, twice as long, up to *longest*.
    probes: how many jobs are let through after a pause; when as many have succeeded, it closes.
    """

    share: float = 0.5
    least: int = 20
    window: timedelta = timedelta(minutes=1)
    pause: timedelta = timedelta(seconds=15)
    longest: timedelta = timedelta(minutes=5)
    probes: int = 3

    def scaled(self, scale: float) -> RetryBudget:
        """The same with its pauses times *scale*."""
        return replace(self, pause=self.pause * scale, longest=self.longest * scale)


def check_budget(task: str, budget: object) -> None:
    """Raise InvalidDeclaration for a *budget* that could not be kept."""
    if not isinstance(budget, RetryBudget):
        raise InvalidDeclaration(task, f"budget must be a RetryBudget(...), not {budget!r}")
    if not 0 < budget.share <= 1:
        raise InvalidDeclaration(task, f"budget: share must be above 0 and at most 1, not {budget.share!r}")
    for name in ("least", "probes"):
        figure: object = getattr(budget, name)
        if not isinstance(figure, int) or isinstance(figure, bool) or figure < 1:
            raise InvalidDeclaration(task, f"budget: {name} must be a whole number above 0, not {figure!r}")
    for name in ("window", "pause", "longest"):
        span: object = getattr(budget, name)
        if not isinstance(span, timedelta) or span <= ZERO:
            raise InvalidDeclaration(task, f"budget: {name} must be a timedelta above zero, not {span!r}")
    if budget.longest < budget.pause:
        raise InvalidDeclaration(task, f"budget: longest must not be below pause ({budget.pause})")
