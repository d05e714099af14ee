"""What may be touched from where, beyond the imports that import-linter watches in `./run check`."""

from __future__ import annotations

import ast
import re

from tests.architecture.sources import ROOT, Source, dotted, sources

# Who reads or passes on the surroundings, with the reason why.
MAY_READ_ENVIRON = {
    "project/env.py": "the one reader: every variable is declared, typed and explained there",
    "project/local/": "composes the variables of the processes that it starts",
    "tasks/testing/": "hands the test run's variables on to the processes that it starts",
    "benchmarks/": "composes the variables of the processes that it measures",
    "tests/": "composes the variables of the processes that a test starts",
}
ENVIRON = {"os.environ", "os.environb", "os.getenv", "os.putenv", "os.unsetenv"}

# What stops a test for a while, whatever happens meanwhile.
SLEEPS = {"time.sleep", "sleep", "asyncio.sleep", "gevent.sleep"}


def test_only_the_reader_of_the_environment_reads_the_environment() -> None:
    """A variable read elsewhere is in no list, has no type and no message when it is wrong."""
    readers = {
        f"{source.name}:{line}"
        for source in sources()
        if not source.name.startswith(tuple(MAY_READ_ENVIRON))
        for line in readings_of_environ(source)
    }

    assert readers == set()


def test_the_list_of_readers_names_only_what_is_there() -> None:
    """An exception for what no longer exists hides the next one."""
    assert [name for name in MAY_READ_ENVIRON if not (ROOT / name).exists()] == []


def test_no_test_sleeps() -> None:
    """A test that waits for the clock is slow on a fast machine and fails on a slow one: wait on a condition."""
    sleepers = {
        f"{source.name}:{call.lineno}"
        for source in sources("tests")
        for call in source.calls()
        if dotted(call.func) in SLEEPS or dotted(call.func).endswith(".wait_for_timeout")
    }

    assert sleepers == set()


def test_the_toolkit_names_itself_by_relative_imports_only() -> None:
    """`from tasks...` inside `tasks` breaks when the folder is copied under another name."""
    absolute = {f"{source.name}:{line}" for source in sources("tasks") for line in absolute_imports(source, "tasks")}

    assert absolute == set()


def test_the_toolkit_names_no_module_of_its_own_in_a_string() -> None:
    """The same, for dotted paths that Celery and Django resolve: make them of `__package__`."""
    in_strings = {
        f"{source.name}:{node.lineno} {node.value}"
        for source in sources("tasks")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"tasks(\.\w+)+(:\w+)?", node.value)
        and is_module(re.split(r"[.:]", node.value))
    }

    assert in_strings == set()


def test_the_toolkit_knows_nobody() -> None:
    """Not even in its public testing part, which import-linter sees and a function's import may hide in."""
    known = {
        f"{source.name}:{line}"
        for source in sources("tasks")
        for package in ("project", "config", "apps", "tests")
        for line in absolute_imports(source, package)
    }

    assert known == set()


def readings_of_environ(source: Source) -> list[int]:
    """The lines of *source* with `os.environ` or the like, or where it is imported."""
    lines = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            lines += [node.lineno for alias in node.names if f"os.{alias.name}" in ENVIRON]
        elif isinstance(node, ast.Attribute) and dotted(node) in ENVIRON:
            lines.append(node.lineno)
    return lines


def absolute_imports(source: Source, package: str) -> list[int]:
    """The lines of *source* that import *package* or a part of it by its full name."""
    lines = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        else:
            continue
        lines += [node.lineno for name in names if name.split(".")[0] == package]
    return lines


def is_module(parts: list[str]) -> bool:
    """Whether the first parts of a dotted path lead to a file or a folder."""
    first = ROOT.joinpath(*parts[:2])
    return first.is_dir() or first.with_suffix(".py").is_file()
