"""Letters as JSON lines: out of one database, into another one, or into a file to be kept.

One line is one letter with its attempts and redrives. What is sealed stays so: it is opened with the SECRET_KEY of the
place that it comes from, or not at all. A letter that is there already, by its task id, is left as it is.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, BinaryIO, Final

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, models, transaction

from ..enqueue import rows
from .letter_filters import LetterFilter
from .letter_models import DeadLetter, JobAttempt, Redrive
from .originals import letter_flaw

FORMAT: Final = 1
LINE_MAX: Final = 16 * 1024 * 1024
# Of years: what lies beyond them no date of the database's or of Python's can hold, in every time zone.
EARLIEST: Final = 1970
LATEST: Final = 2999
_CHUNK: Final = 500


class LineRefused(ValueError):
    """A line is no letter: *line*, counted from 1, and why."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(line, problem)
        self.line, self.problem = line, problem

    def __str__(self) -> str:
        return f"line {self.line}: {self.problem}"


@dataclass(slots=True)
class Imported:
    """What became of the lines: how many letters were written, and the task ids of those that were there already."""

    count: int = 0
    there: list[str] = field(default_factory=list)


def letters_export(which: LetterFilter) -> Iterator[str]:
    """The letters that *which* names as lines, the oldest first."""
    found = which.letters().order_by("pk").prefetch_related("redrives")
    for letter in found.iterator(chunk_size=_CHUNK):
        attempts = JobAttempt.objects.using(rows.alias()).filter(task_id=letter.task_id).order_by("pk")
        line = {
            "format": FORMAT,
            "letter": _out(letter),
            "attempts": [_out(attempt) for attempt in attempts],
            "redrives": [_out(redrive) for redrive in letter.redrives.all()],
        }
        yield json.dumps(line)  # ASCII: safe on any terminal, in any encoding


def lines_of(file: BinaryIO) -> Iterator[str]:
    """The lines of *file*, none read further than LINE_MAX. Raises LineRefused for one that is longer, or no UTF-8."""
    for number in count(1):
        line = file.readline(LINE_MAX + 1)
        if not line:
            return
        if len(line) > LINE_MAX:
            raise LineRefused(number, f"is longer than {LINE_MAX} bytes")
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise LineRefused(number, f"is no UTF-8: {error.reason} at byte {error.start}") from error


def letters_import(lines: Iterable[str], *, dry_run: bool = False) -> Imported:
    """Write the letters of *lines*, all or none. Raises LineRefused for the first that is none."""
    done = Imported()
    with transaction.atomic(using=rows.alias()):
        for number, line in enumerate(lines, start=1):
            if line.strip():
                _line_in(number, line, done)
        transaction.set_rollback(dry_run, using=rows.alias())
    return done


def _line_in(number: int, line: str, done: Imported) -> None:
    try:
        letter, attempts, redrives = _letter_of(number, json.loads(line))
        if DeadLetter.objects.using(rows.alias()).filter(task_id=letter.task_id).exists():
            done.there.append(letter.task_id)
            return
        _check_and_write(number, letter, attempts, redrives)
    except LineRefused:
        raise
    except ValidationError as error:
        told = "; ".join(f"{name}: {' '.join(problems)}" for name, problems in error.message_dict.items())
        raise LineRefused(number, told) from error
    except RecursionError:
        raise LineRefused(number, "is no letter: it is nested too deeply") from None
    except IntegrityError as error:
        raise LineRefused(number, f"is no letter, or one that holds something twice: {_said(error)}") from error
    except (KeyError, TypeError, ValueError, DataError) as error:
        raise LineRefused(number, f"is no letter: {type(error).__name__}: {_said(error)}") from error
    done.count += 1


def _letter_of(number: int, given: Any) -> tuple[DeadLetter, list[JobAttempt], list[Redrive]]:
    if not isinstance(given, dict) or given.get("format") != FORMAT:
        raise LineRefused(number, f"is no letter of format {FORMAT}")
    attempts = [_in(JobAttempt, one) for one in given["attempts"]]
    redrives = [_in(Redrive, one) for one in given["redrives"]]
    return _in(DeadLetter, given["letter"]), attempts, redrives


def _check_and_write(number: int, letter: DeadLetter, attempts: list[JobAttempt], redrives: list[Redrive]) -> None:
    """Raises LineRefused, ValidationError, ValueError, DataError and IntegrityError."""
    for attempt in attempts:
        attempt.task_id = letter.task_id
    for row in (letter, *attempts, *redrives):
        row.full_clean(exclude=["id", "letter"], validate_unique=False, validate_constraints=False)
    if flaw := letter_flaw(letter):
        raise LineRefused(number, f"can't be redriven: {flaw}")
    letter.save(using=rows.alias(), force_insert=True)
    for redrive in redrives:
        redrive.letter = letter
    JobAttempt.objects.using(rows.alias()).bulk_create(attempts)
    Redrive.objects.using(rows.alias()).bulk_create(redrives)


def _said(error: Exception) -> str:
    """What PostgreSQL says, without the row that it may quote."""
    first, *others = str(error).splitlines() or [""]
    details = [line for line in others if line.startswith("DETAIL:") and "Failing row" not in line]
    return " ".join([first, *details])


def _fields(model: type[models.Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if field.name not in ("id", "letter")]


def _out(row: models.Model) -> dict[str, Any]:
    return {field.name: _plain(getattr(row, field.name)) for field in _fields(type(row))}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(value)).decode()
    return value


def _in(model: type[Any], given: Any) -> Any:
    known = {field.name: field for field in _fields(model)}
    if not isinstance(given, dict) or (unknown := given.keys() - known.keys()):
        raise ValueError(f"unknown fields {sorted(unknown)}" if isinstance(given, dict) else "not an object")
    return model(**{name: _read(known[name], value) for name, value in given.items()})


def _read(field: Any, value: Any) -> Any:
    if value is None:
        if not field.null:
            raise ValueError(f"{field.name} can't be null")
        return None
    if isinstance(field, models.BinaryField):
        return base64.b64decode(value, validate=True)
    if isinstance(field, models.DateTimeField):
        return _date(field.name, datetime.fromisoformat(value))
    return value


def _date(name: str, read: datetime) -> datetime:
    """*read*, if the database gives it back: one that it can't would stand in the way of every list."""
    if read.tzinfo is None:
        raise ValueError(f"{name} says no time zone")
    if not EARLIEST <= read.year <= LATEST:
        raise ValueError(f"{name} lies before {EARLIEST} or after {LATEST}")
    return read
