"""What was measured: a line of JSON each, and at the end a table of medians with ratios to stock Celery."""

from __future__ import annotations

import json
import math
import statistics
from collections import defaultdict
from typing import Final

from rich.console import Console
from rich.table import Table

MORE_IS_BETTER: Final = ("per_second",)
RATIOS: Final = {"per_second": "faster", "cpu_per_1000": "less CPU"}
"""Figures that are also told as how many times better than the base they are."""


class Findings:
    """Collects figures by gauge and contender. base: the contender that ratios are to; the first where it is absent."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._all: dict[str, dict[str, list[dict[str, float]]]] = defaultdict(lambda: defaultdict(list))

    def add(self, gauge: str, contender: str, figures: dict[str, float]) -> None:
        """Keep it and print it, without the figures that are not known (NaN)."""
        figures = {name: value for name, value in figures.items() if not math.isnan(value)}
        self._all[gauge][contender].append(figures)
        rounded = {name: round(value, 4) for name, value in figures.items()}
        print(json.dumps({"gauge": gauge, "contender": contender, **rounded}), flush=True)

    def medians(self, gauge: str) -> dict[str, dict[str, float]]:
        """By contender."""
        return {
            contender: {name: statistics.median(run[name] for run in runs) for name in runs[0]}
            for contender, runs in self._all[gauge].items()
        }

    def show(self) -> None:
        """Print the tables."""
        for gauge in self._all:
            Console(width=180).print(self._table(gauge))

    def _table(self, gauge: str) -> Table:
        rows = self.medians(gauge)
        name_of_base = self.base if self.base in rows else next(iter(rows))
        base = rows[name_of_base]
        runs = max(len(runs) for runs in self._all[gauge].values())
        table = Table(title=f"{gauge}: medians of {runs}; ratios to {name_of_base}", title_justify="left")
        table.add_column("contender")
        names = list(base)
        for name in names:
            table.add_column(name, justify="right")
        compared = [name for name in names if name in RATIOS]
        for name in compared:
            table.add_column(f"× {RATIOS[name]}", justify="right")
        for contender, figures in rows.items():
            cells = [_cell(figures[name]) if name in figures else "–" for name in names]
            table.add_row(contender, *cells, *(_times(name, figures, base) for name in compared))
        return table


def _times(name: str, figures: dict[str, float], base: dict[str, float]) -> str:
    better, worse = (figures, base) if name in MORE_IS_BETTER else (base, figures)
    return f"{better[name] / worse[name]:.2f}" if worse[name] else "–"


def _cell(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"
