"""Files and functions stay small, and are named for what they do."""

from __future__ import annotations

import ast
import re
from statistics import median

from tests.architecture.sources import ROOT, files, sources

MOST_LINES = 400
MEDIAN_LINES = 120
MOST_LINES_OF_A_FUNCTION = 50

VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}
# Django's own words: its command line, and the folder in which it looks for commands.
DJANGOS = {"manage.py", "management"}


def test_no_file_is_longer_than_can_be_read_at_a_sitting() -> None:
    """A file that grows past it holds more than one concept."""
    assert {source.name: source.line_count for source in sources() if source.line_count > MOST_LINES} == {}


def test_the_median_file_is_short() -> None:
    """The bound above stops the worst; this keeps the habit."""
    assert median(source.line_count for source in sources()) < MEDIAN_LINES


def test_no_function_is_longer_than_a_screen() -> None:
    """From `def` to its last line, docstring included."""
    long = {
        f"{source.name}:{node.lineno} {node.name}": lines
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MOST_LINES_OF_A_FUNCTION
    }

    assert long == {}


def test_no_file_or_folder_has_a_name_that_says_nothing() -> None:
    """`utils` is where things go that nobody found a place for, and nobody finds again."""
    vague = {
        path.relative_to(ROOT).as_posix()
        for path in files()
        for part in path.relative_to(ROOT).parts
        if part not in DJANGOS and words(part.partition(".")[0]) & VAGUE
    }

    assert vague == set()


def test_no_class_or_function_has_a_name_that_says_nothing() -> None:
    """The same, inside the files."""
    vague = {
        f"{source.name}:{node.lineno} {node.name}"
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and words(node.name) & VAGUE
    }

    assert vague == set()


def test_every_module_says_what_it_is() -> None:
    """A docstring at the top of each file that holds anything."""
    assert [source.name for source in sources() if source.text.strip() and not ast.get_docstring(source.tree)] == []


def words(name: str) -> set[str]:
    """The words of a name in snake_case or CamelCase, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}
