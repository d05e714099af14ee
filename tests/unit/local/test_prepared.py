"""A database is taken to be prepared only while nothing that decides it has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from project.local.prepared import PreparedNote, prepared_with

ENVIRONMENT = {"DATABASE_URL": "postgresql://here/x", "TIME_ZONE": "UTC", "HOME": "/home/somebody"}


def test_a_note_holds_once(tmp_path: Path) -> None:
    """A start that fails leaves none, so the next one prepares."""
    note = PreparedNote(tmp_path, ENVIRONMENT)
    assert not note.take()
    note.leave()
    assert note.take()
    assert not note.take()


@pytest.mark.parametrize(
    ("changed", "holds"),
    [({"HOME": "/home/else"}, True), ({"TIME_ZONE": "Europe/Prague"}, False), ({"DATABASE_URL": "x"}, False)],
)
def test_another_variable_of_the_project_makes_it_void(changed: dict[str, str], holds: bool, tmp_path: Path) -> None:
    """Schedules go by the time zone."""
    PreparedNote(tmp_path, ENVIRONMENT).leave()
    assert PreparedNote(tmp_path, ENVIRONMENT | changed).take() is holds


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
