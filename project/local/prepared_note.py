"""A note, kept beside an embedded database, of what it was last prepared with.

While it holds, the processes need not wait for migrations, checks and schedules, which take a third of a start. It is
taken away when a start begins and left again when everything answers, so a start that fails makes the next one prepare
first; as does a database that was made anew, or whose migrations were carried out or undone by hand.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psycopg

from project.env import PROJECT_ROOT, VARIABLES

PACKAGES: Final = ("apps", "config", "project", "tasks")
LOCKED: Final = "requirements/local.txt"
STATE: Final = """
SELECT (SELECT system_identifier FROM pg_control_system()), oid, (SELECT count(*) FROM django_migrations),
       (SELECT md5(string_agg(app || ' ' || name, ',' ORDER BY app, name)) FROM django_migrations)
FROM pg_database WHERE datname = current_database()
"""


class PreparedNote:
    """The note in *directory*, for processes that are started with *environment*, DATABASE_URL among it."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._file, self._environment = directory / "prepared", environment

    def take(self) -> bool:
        """Remove the note. Returns whether it was there and says that nothing has changed since."""
        try:
            left = self._file.read_text()
        except FileNotFoundError:
            return False
        self._file.unlink()
        return left != "" and left == self._now()

    def leave(self) -> None:
        """The database is prepared for what is here now."""
        self._file.write_text(self._now())

    def _now(self) -> str:
        """Empty if it can't be told: a file vanishes under an editor, the database has no tables."""
        try:
            with psycopg.connect(self._environment["DATABASE_URL"], connect_timeout=5) as connection:
                state = connection.execute(STATE).fetchone()
            return f"{prepared_with(self._environment)} {state}"
        except (OSError, psycopg.Error):
            return ""


def prepared_with(environment: Mapping[str, str], root: Path = PROJECT_ROOT) -> str:
    """A digest of what decides how a database is prepared: the code, its dependencies, the project's variables.

    Raises OSError for a file that can't be read.
    """
    digest = hashlib.sha256(sys.version.encode())
    code = sorted(file for package in PACKAGES for file in (root / package).rglob("*.py") if file.is_file())
    for file in (root / LOCKED, *code):
        digest.update(f"\0{file.relative_to(root)}\0".encode() + file.read_bytes())
    for name in sorted({*VARIABLES, "DJANGO_SETTINGS_MODULE"} & environment.keys()):
        digest.update(f"\0{name}={environment[name]}".encode())
    return digest.hexdigest()
