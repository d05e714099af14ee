"""The table is whole, is shown to be true, and is what the docs say."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from tests.conformance.broker.capabilities import CAPABILITIES, SUBJECTS
from tests.conformance.broker.table import PAGE, page_with_table


def test_every_cell_of_the_table_is_shown_by_a_test() -> None:
    """What a broker can, and what happens where it can't: a row that nobody checks is a claim."""
    promised = {name for kind, name, _ in declarations() if kind == "promised"}
    kept = {row.name for row in CAPABILITIES if set(row.cannot) != set(SUBJECTS)}
    assert promised == kept

    shown = Counter(
        (name, subject) for kind, name, subjects in declarations() if kind == "cannot" for subject in subjects
    )
    assert shown == Counter((row.name, subject) for row in CAPABILITIES for subject in row.cannot)


def test_the_table_names_only_subjects_that_there_are() -> None:
    """A typo would be a broker that can do everything."""
    assert {subject for row in CAPABILITIES for subject in row.cannot} <= set(SUBJECTS)


def test_the_page_says_what_the_table_says() -> None:
    """`python -m tests.conformance.broker.table` brings it up to date."""
    page = PAGE.read_text()
    assert page == page_with_table(page)


def declarations() -> list[tuple[str, str, list[str]]]:
    """What the tests' decorators say: "promised" or "cannot", the capability, the subjects named."""
    found = []
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            for decorator in getattr(node, "decorator_list", ()):
                if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name):
                    name, *subjects = (ast.literal_eval(argument) for argument in decorator.args)
                    found.append((decorator.func.id, name, subjects))
    return found
