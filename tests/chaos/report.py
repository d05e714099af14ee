"""Outcomes as a table, and the page docs/chaos.md around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from project.env import PROJECT_ROOT
from tests.chaos.outcome import Outcome
from tests.chaos.scenario import Scenario, scenarios

PAGE: Final = PROJECT_ROOT / "docs" / "chaos.md"
BEGIN: Final = "<!-- begin: ./run chaos delivery --both --docs -->\n"
END: Final = "<!-- end -->\n"
HEAD: Final = (
    "scenario",
    "transport",
    "harms",
    "sent",
    "done",
    "lost",
    "forgotten",
    "stuck",
    "kept",
    "doubled",
    "needless",
    "effects doubled",
    "recovery",
)


def table(outcomes: Iterable[Outcome]) -> str:
    """Markdown that can be read as it is. What misses the promise is bold."""
    rows = [HEAD, *map(_row, outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def page_write(outcomes: Sequence[Outcome], page: Path = PAGE) -> None:
    """Put the table of *outcomes*, and what each scenario does, between the page's two marks."""
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    known = scenarios()
    order = list(known)
    measured = sorted(
        (one for one in outcomes if one.scenario in known),
        key=lambda one: (order.index(one.scenario), one.name, one.transport),
    )
    names = dict.fromkeys(one.scenario for one in measured)
    stories = [_story(known[name]) for name in names]
    leases = " and ".join(f"{seconds:g} s" for seconds in sorted({one.lease_seconds for one in measured}))
    parts = [table(measured), f"The lease and stock Celery's visibility timeout are {leases}.", "\n".join(stories)]
    page.write_text(before + BEGIN + "\n" + "\n\n".join(parts) + "\n\n" + END + after)


def _story(scenario: Scenario) -> str:
    because = f" Can't be perfect: {scenario.because}." if scenario.because else ""
    return f"- `{scenario.name}`: {scenario.story}.{because}"


def _row(outcome: Outcome) -> tuple[str, ...]:
    missed = outcome.misses(scenarios()[outcome.scenario].allowed)

    def cell(name: str, value: object) -> str:
        return f"**{value}**" if name in missed else str(value)

    seconds = outcome.recovery_seconds
    return (
        outcome.name,
        outcome.transport,
        *(cell(name, getattr(outcome, name)) for name in HEAD[2:-2]),
        "–" if outcome.doubled_effects is None else cell("doubled_effects", outcome.doubled_effects),
        cell("recovery_seconds", "–" if seconds is None else f"{seconds / outcome.lease_seconds:.2f}"),
    )
