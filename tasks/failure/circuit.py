"""Circuits in the database: each change is made under the row's lock, in a transaction of its own, by its clock."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime
from typing import Final

from django.db import transaction

from ..enqueue import rows
from ..signals import circuit_closed, circuit_opened
from .circuit_models import Circuit
from .circuit_state import Standing, State, closed

log = logging.getLogger(__name__)

_COLUMNS: Final = tuple(field.name for field in fields(Standing))
_NAMES: Final = ", ".join(_COLUMNS)
_LOOK: Final = f"SELECT {_NAMES} FROM tasks_circuit WHERE name = %s"  # noqa: S608 -- names only
_LOCK: Final = f"SELECT clock_timestamp(), {_NAMES} FROM tasks_circuit WHERE name = %s FOR UPDATE"  # noqa: S608
_NEW: Final = f"""
    INSERT INTO tasks_circuit (name, {_NAMES}) VALUES (%s, {", ".join(["%s"] * len(_COLUMNS))}) ON CONFLICT DO NOTHING
"""  # noqa: S608
_SAVE: Final = f"UPDATE tasks_circuit SET {', '.join(f'{name} = %s' for name in _COLUMNS)} WHERE name = %s"  # noqa: S608

Change = Callable[[Standing, datetime], Standing]


def circuit_look(name: str) -> Standing | None:
    """The circuit of the task *name*; None when no attempt at it has ever failed."""
    with rows.cursor() as cursor:
        cursor.execute(_LOOK, [name])
        found = cursor.fetchone()
    return None if found is None else _standing(found)


def circuit_change(name: str, change: Change) -> tuple[Standing, datetime]:
    """Let *change* make what it wants of the circuit and the time; return that, and the time.

    Sends `circuit_opened` and `circuit_closed`, after the commit.
    """
    with transaction.atomic(using=rows.alias()):
        now, before = _locked(name)
        after = change(before, now)
        if after != before:
            _save(name, after)
    _tell(name, before, after)
    return after, now


def circuit_close(name: str) -> bool:
    """Let everything through again, by hand. False for a circuit that is closed, or unknown."""
    if not Circuit.objects.filter(name=name).exclude(state=State.CLOSED).exists():
        return False
    circuit_change(name, lambda standing, now: closed(standing, now=now))
    return True


def _locked(name: str) -> tuple[datetime, Standing]:
    with rows.cursor() as cursor:
        cursor.execute(_LOCK, [name])
        found = cursor.fetchone()
        if found is None:
            cursor.execute("SELECT clock_timestamp()")
            cursor.execute(_NEW, [name, *_values(Standing(half_began_at=cursor.fetchone()[0]))])
            cursor.execute(_LOCK, [name])
            found = cursor.fetchone()
    return found[0], _standing(found[1:])


def _save(name: str, standing: Standing) -> None:
    with rows.cursor() as cursor:
        cursor.execute(_SAVE, [*_values(standing), name])


def _values(standing: Standing) -> list[object]:
    return [str(value) if isinstance(value, State) else value for value in asdict(standing).values()]


def _standing(found: tuple[object, ...]) -> Standing:
    given = dict(zip(_COLUMNS, found, strict=True))
    return Standing(**{**given, "state": State(str(given["state"]))})  # type: ignore[arg-type]


def _tell(name: str, before: Standing, after: Standing) -> None:
    """A receiver that fails is logged: what it was told of is a fact already."""
    if before.state is State.CLOSED and after.state is State.OPEN:
        log.error(
            "the circuit of %s opened: %d of %d attempts failed; its jobs wait in the outbox",
            name, after.failures, after.attempts,
        )  # fmt: skip
        answers = circuit_opened.send_robust(
            sender=Circuit, name=name, failures=after.failures, attempts=after.attempts, until_at=after.until_at
        )
    elif before.state is not State.CLOSED and after.state is State.CLOSED:
        log.warning("the circuit of %s closed; it had been open since %s", name, before.opened_at)
        answers = circuit_closed.send_robust(sender=Circuit, name=name, opened_at=before.opened_at)
    else:
        return
    for _, answer in answers:
        if isinstance(answer, Exception):
            log.error("a receiver of the circuit of %s failed", name, exc_info=answer)
