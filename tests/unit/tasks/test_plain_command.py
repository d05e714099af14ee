"""What goes wrong outside of a command is told in a line, with its code, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import get_commands, load_command_class
from django.core.management.base import CommandError
from django.db import OperationalError, ProgrammingError
from psycopg.errors import SyntaxError as PsycopgSyntaxError
from psycopg.errors import UndefinedTable

from project.env import PROJECT_ROOT
from tasks.management.plain_command import STOPPED, UNTOLD, PlainCommand

WRITES = """
import sys
from django.conf import settings
settings.configure()
from tasks.management.plain_command import PlainCommand

class Command(PlainCommand):
    requires_system_checks = ()
    def handle(self, **options):
        for _ in range({lines}):
            self.stdout.write("\\u2588 a line")

Command().run_from_argv(["manage.py", "it"])
"""


class Ends(PlainCommand):
    """Ends by an error."""

    requires_system_checks = ()

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def handle(self, **options: Any) -> None:
        raise self._error


def ended(error: BaseException, *words: str) -> int | str | None:
    """The code."""
    with pytest.raises(SystemExit) as end:
        Ends(error).run_from_argv(["manage.py", "it", *words])
    return end.value.code


def lacking(kind: type[Exception]) -> ProgrammingError:
    error = ProgrammingError("relation x")
    error.__cause__ = kind("relation x")
    return error


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (KeyboardInterrupt(), STOPPED, "stopped: what was done is kept"),
        (
            OperationalError("connection refused\nIs it there?"),
            1,
            "the database did not answer: connection refused. What",
        ),
        (OperationalError(), 1, "the database did not answer: OperationalError. What"),
        (lacking(UndefinedTable), 1, "run `manage.py migrate` first"),
        (ImproperlyConfigured("X is not set"), 1, "X is not set"),
        (CommandError("it says \x1b[2J"), 1, r"it says \x1b[2J"),
    ],
)
def test_what_is_no_fault_of_the_programs_is_a_line(
    error: BaseException, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(error) == code
    shown = capsys.readouterr().err
    assert told in shown
    assert len(shown.splitlines()) == 1


def test_what_is_its_fault_is_shown_whole_and_so_is_all_that_somebody_asks_to_see() -> None:
    with pytest.raises(ProgrammingError):
        Ends(lacking(PsycopgSyntaxError)).run_from_argv(["manage.py", "it"])
    with pytest.raises(OperationalError):
        Ends(OperationalError("away")).run_from_argv(["manage.py", "it", "--traceback"])


@pytest.fixture
def nobody() -> Iterator[int]:
    """A pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


def written(lines: int, output: int, **surroundings: str) -> tuple[int, str]:
    """The code of a process that writes so many lines there, and what it tells."""
    done = subprocess.run(
        [sys.executable, "-c", WRITES.format(lines=lines)],
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd=PROJECT_ROOT,
        env={**os.environ, **surroundings},
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_has_gone_is_no_error_to_be_told(nobody: int, lines: int) -> None:
    """`| head`: whether it goes in the middle, or before the last bytes are written."""
    assert written(lines, nobody) == (UNTOLD, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a full disk at hand")  # noqa: PTH110
def test_a_full_disk_is_told() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        code, told = written(1, full.fileno())
    assert (code, told.count("\n")) == (UNTOLD, 1)
    assert "No space left on device. Make room" in told


def test_what_a_terminal_has_no_letters_for_is_spelt_out() -> None:
    assert written(1, subprocess.DEVNULL, PYTHONIOENCODING="latin-1") == (0, "")


def test_every_command_of_ours_is_one() -> None:
    """Whoever gives a command is told of what goes wrong in the same way, whichever it is."""
    ours = {name: app for name, app in get_commands().items() if str(app).split(".")[0] in {"tasks", "apps"}}

    assert set(ours) >= {"dead_letters", "relay", "settle_effect", "sync_schedules", "ensure_staff", "ensure_bucket"}
    assert [name for name, app in ours.items() if not isinstance(load_command_class(app, name), PlainCommand)] == []
