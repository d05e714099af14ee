"""A note, kept beside an embedded database, of what it was last prepared with.

While it holds, the processes need not wait for migrations, checks and schedules, which take as long as all the rest of
a start. It is taken away when a start begins and left again when everything answers, so a start that fails makes the
next one prepare first.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from project.env import PROJECT_ROOT, VARIABLES

PACKAGES: Final = ("apps", "config", "project", "tasks")
LOCKED: Final = "requirements/local.txt"


class PreparedNote:
    """The note in *directory*, for processes that are started with *environment*."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._file = directory / "prepared"
        self._now = prepared_with(environment)

    def take(self) -> bool:
        """Remove the note. Returns whether it was there and says that nothing has changed since."""
        try:
            left = self._file.read_text()
        except FileNotFoundError:
            return False
        self._file.unlink()
        return left == self._now

    def leave(self) -> None:
        """The database is prepared for what is here now."""
        self._file.write_text(self._now)


def prepared_with(environment: Mapping[str, str], root: Path = PROJECT_ROOT) -> str:
    """A digest of all that decides how a database is prepared: the code, its dependencies, the project's variables."""
    digest = hashlib.sha256(sys.version.encode())
    code = sorted(file for package in PACKAGES for file in (root / package).rglob("*.py"))
    for file in (root / LOCKED, *code):
        digest.update(f"\0{file.relative_to(root)}\0".encode() + file.read_bytes())
    for name in sorted(VARIABLES & environment.keys()):
        digest.update(f"\0{name}={environment[name]}".encode())
    return digest.hexdigest()
