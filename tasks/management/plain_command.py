"""Commands that tell whatever goes wrong from outside in a line, with a code for scripts, and show no traceback."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any, Final, NoReturn

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, SystemCheckError
from django.db import InterfaceError, OperationalError, ProgrammingError
from psycopg.errors import UndefinedColumn, UndefinedTable

from ..failure.readable import printable, readable

STOPPED: Final = 130
UNTOLD: Final = 141
CODES: Final = (
    f"{STOPPED} Ctrl-C: what was done is kept, the rest is as it was; "
    f"{UNTOLD} the output could not be written: its reader has gone, or its disk is full"
)
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class PlainCommand(BaseCommand):
    """Django's own, but for what a person can't help seeing at times: Ctrl-C, `| head`, a full disk, no database.

    `--traceback` shows where it was, as for any CommandError.
    """

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Refuse words that no text in the database can hold; show errors as text, whatever they quote."""
        try:
            for name, value in options.items():
                _check(name, value)
            return super().execute(*args, **options)
        except SystemCheckError:
            raise
        except CommandError as error:
            error.args = (printable(str(error)),)
            raise

    def run_from_argv(self, argv: list[str]) -> None:
        """As the program of its own that it is here."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # to tell something is better than to end at a letter
        try:
            try:
                super().run_from_argv(argv)
            finally:
                sys.stdout.flush()  # here, where it can still be told that it fails
        except Exception as error:
            if "--traceback" in argv:
                raise
            self._told(error)
        except KeyboardInterrupt:
            self._end("stopped: what was done is kept, the rest is as it was. Run it again to go on.", STOPPED)

    def _told(self, error: Exception) -> None:
        """End with the line for what is not the program's fault. Raises everything else again."""
        if isinstance(error, BrokenPipeError):
            _leave_output()
            sys.exit(UNTOLD)
        if isinstance(error, OSError) and error.errno in _FULL:
            _leave_output()
            self._end(f"the output could not be written: {error.strerror}. Make room; what was done is kept.", UNTOLD)
        if isinstance(error, ProgrammingError) and isinstance(error.__cause__, UndefinedTable | UndefinedColumn):
            self._end("the database lacks tables or columns: run `manage.py migrate` first.", 1)
        if isinstance(error, OperationalError | InterfaceError):
            why = next(iter(str(error).splitlines()), type(error).__name__)
            self._end(
                f"the database did not answer: {why}. What was done is kept, the rest is as it was: "
                "look at the database and its address, and run it again.",
                1,
            )
        if isinstance(error, ImproperlyConfigured):
            self._end(str(error), 1)
        raise error

    def _end(self, why: str, code: int) -> NoReturn:
        self.stderr.write(f"CommandError: {printable(why)}")
        sys.exit(code)


def _check(name: str, value: Any) -> None:
    for word in value if isinstance(value, list) else [value]:
        if isinstance(word, str) and readable(word) != word:
            raise CommandError(
                f"{name.replace('_', '-')}: {word!r} holds what no text in the database can, a NUL or half a "
                "character: give it without"
            )


def _leave_output() -> None:
    """Let the interpreter's own last flush go nowhere, or it would fail once more, and change the code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
