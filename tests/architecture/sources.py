"""The project's own files, for the tests that read them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("project", "config", "tasks", "apps", "tests", "benchmarks")

# What is built, fetched, recorded or cached: not ours to keep in shape.
NOT_OURS = {".git", ".venv", "var", "build", "dist", "node_modules", "__pycache__"}


@dataclass(frozen=True)
class Source:
    """One Python file."""

    path: Path

    @property
    def name(self) -> str:
        """The path from the project's root, with slashes."""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        """What it holds."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text, self.name)

    @property
    def line_count(self) -> int:
        """How many lines it has."""
        return len(self.text.splitlines())

    def calls(self) -> Iterator[ast.Call]:
        """Every call in it."""
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.Call))


@cache
def files() -> list[Path]:
    """Every file of the project, but for what is hidden, built or recorded."""
    return sorted(
        path
        for path in ROOT.rglob("*")
        if path.is_file()
        and not NOT_OURS & set(path.relative_to(ROOT).parts)
        and not any(part.endswith(("_cache", ".egg-info")) for part in path.relative_to(ROOT).parts)
        and path.relative_to(ROOT).parts[0] != ".hypothesis"
    )


@cache
def sources(*rooms: str) -> list[Source]:
    """The Python files in *rooms* (default: all, and those beside them), migrations aside: Django writes those."""
    wanted = rooms or ROOMS
    return [
        Source(path)
        for path in files()
        if path.suffix == ".py"
        and "migrations" not in path.parts
        and (path.relative_to(ROOT).parts[0] in wanted or (not rooms and path.parent == ROOT))
    ]


def dotted(node: ast.expr) -> str:
    """`a.b.c` for such an expression, else ""."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (inner := dotted(node.value)):
        return f"{inner}.{node.attr}"
    return ""
