"""Writes the table of what each broker can do into docs/brokers.md, between the two marks that are there.

    python -m tests.conformance.broker.table

The suite shows each cell to be true, and fails where the page says something else.
"""

from __future__ import annotations

from typing import Final

from project.env import PROJECT_ROOT
from tests.conformance.broker.capabilities import CAPABILITIES, SUBJECTS

PAGE: Final = PROJECT_ROOT / "docs" / "brokers.md"
BEGIN: Final = "<!-- begin: made by `python -m tests.conformance.broker.table` -->"
END: Final = "<!-- end -->"


def table() -> str:
    """The table, and under it what happens where a broker can't."""
    heads = list(SUBJECTS)
    lines = [
        f"| what a broker must do | {' | '.join(f'`{head}`' for head in heads)} |",
        f"|---|{'---|' * len(heads)}",
    ]
    notes: list[str] = []
    for row in CAPABILITIES:
        cells = []
        for head in heads:
            if head in row.cannot:
                notes.append(f"{len(notes) + 1}. `{head}`, {row.name.replace('_', ' ')}: {row.cannot[head]}")
                cells.append(f"no ({len(notes)})")
            else:
                cells.append("yes")
        lines.append(f"| {row.promise} | {' | '.join(cells)} |")
    subjects = [f"- `{name}`: {prose}." for name, prose in SUBJECTS.items()]
    return "\n".join([*subjects, "", *lines, "", *notes])


def page_with_table(page: str) -> str:
    """*page* with the table between its marks. Raises ValueError for a page without them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has lost the marks between which the table goes: {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page_with_table(PAGE.read_text()))


if __name__ == "__main__":
    main()
