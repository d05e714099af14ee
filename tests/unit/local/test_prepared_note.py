"""A database is taken to be prepared only while nothing that decides it has changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from project.local.prepared_note import PreparedNote, prepared_with


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """Of processes on a database with tables."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE DATABASE prepared")
        url = f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/prepared"
        try:
            with psycopg.connect(url, autocommit=True) as prepared:
                prepared.execute("CREATE TABLE django_migrations (app text, name text)")
            yield {"DATABASE_URL": url, "TIME_ZONE": "UTC", "HOME": "/home/somebody"}
        finally:
            connection.execute("DROP DATABASE prepared WITH (FORCE)")


def run(environment: dict[str, str], statement: str) -> None:
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(statement.encode())


def test_a_note_holds_once(environment: dict[str, str], tmp_path: Path) -> None:
    """A start that fails leaves none, so the next one prepares."""
    note = PreparedNote(tmp_path, environment)
    assert not note.take()
    note.leave()
    assert note.take()
    assert not note.take()


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO django_migrations VALUES ('orders', '0002')", "DROP TABLE django_migrations"],
    ids=["migrated", "emptied"],
)
def test_a_database_that_was_changed_by_hand_is_prepared_first(
    statement: str, environment: dict[str, str], tmp_path: Path
) -> None:
    """The processes would fall over tables that are not there."""
    note = PreparedNote(tmp_path, environment)
    note.leave()
    run(environment, statement)
    assert not note.take()


def test_a_database_that_was_made_anew_is_prepared_first(environment: dict[str, str], tmp_path: Path) -> None:
    """Though it has the name, the address and the tables of the old one."""
    note = PreparedNote(tmp_path, environment)
    note.leave()
    run(environment | {"DATABASE_URL": os.environ["DATABASE_URL"]}, "DROP DATABASE prepared WITH (FORCE)")
    run(environment | {"DATABASE_URL": os.environ["DATABASE_URL"]}, "CREATE DATABASE prepared")
    run(environment, "CREATE TABLE django_migrations (app text, name text)")
    assert not note.take()


def test_without_tables_nothing_is_noted(environment: dict[str, str], tmp_path: Path) -> None:
    """Two databases without any are not the same."""
    run(environment, "DROP TABLE django_migrations")
    note = PreparedNote(tmp_path, environment)
    note.leave()
    assert not note.take()


@pytest.mark.parametrize(
    ("changed", "holds"),
    [({"HOME": "/home/else"}, True), ({"TIME_ZONE": "Europe/Prague"}, False), ({"DJANGO_SETTINGS_MODULE": "x"}, False)],
)
def test_another_variable_of_the_project_makes_it_void(
    changed: dict[str, str], holds: bool, environment: dict[str, str], tmp_path: Path
) -> None:
    """Schedules go by the time zone."""
    PreparedNote(tmp_path, environment).leave()
    assert PreparedNote(tmp_path, environment | changed).take() is holds


def test_a_file_that_vanishes_under_an_editor_stops_nothing(tmp_path: Path) -> None:
    """Its lock is a link to nowhere, whose name ends like a module's."""
    for name in ("config/schedules.py", "requirements/local.txt"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    before = prepared_with({}, tmp_path)
    (tmp_path / "config" / ".#schedules.py").symlink_to("somebody@host.1")
    assert prepared_with({}, tmp_path) == before


@pytest.mark.parametrize(
    ("file", "content", "same"),
    [
        ("apps/orders/migrations/0002_more.py", "", False),
        ("config/schedules.py", "EVERY = 6", False),
        ("tasks/relay.py", "", False),
        ("requirements/local.txt", "django==6", False),
        ("apps/orders/templates/page.html", "", True),
        ("docs/example.py", "", True),
    ],
)
def test_other_code_makes_it_void(file: str, content: str, same: bool, tmp_path: Path) -> None:
    """A migration that was added, a schedule that was changed, a library that was upgraded."""
    for name, text in {"config/schedules.py": "EVERY = 5", "requirements/local.txt": "django==5"}.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    before = prepared_with({}, tmp_path)
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(content)
    assert (prepared_with({}, tmp_path) == before) is same
