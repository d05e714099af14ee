"""Keeping a process to the packages that the image has."""

from __future__ import annotations

import re
from importlib.metadata import packages_distributions
from pathlib import Path

from project.env import PROJECT_ROOT

GUARD = """
import sys

class Guard:
    missing = {missing!r}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.missing:
            raise ModuleNotFoundError(f"{{name}} is not in the image: requirements/base.txt doesn't have it", name=name)

sys.meta_path.insert(0, Guard())
"""


def in_image() -> set[str]:
    """The names of the distributions that the image has."""
    lines = (PROJECT_ROOT / "requirements" / "base.txt").read_text().splitlines()
    return {_normal(found[1]) for line in lines if (found := re.match(r"([\w.-]+)==", line))} | {"pip"}


def guard_write(directory: Path) -> Path:
    """Put a `sitecustomize.py` into *directory* that hides every other package. Returns what PYTHONPATH has to be."""
    there = in_image()
    missing = {
        package
        for package, distributions in packages_distributions().items()
        if not there.intersection(map(_normal, distributions))
    }
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "sitecustomize.py").write_text(GUARD.format(missing=missing))
    return directory


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
