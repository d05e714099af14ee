"""The table in which the jobs of `ledger_app` leave their effects."""

from __future__ import annotations

from typing import Final

from django.db import connection

TABLE: Final = "chaos_effects"
KEYS: Final = "chaos:"  # what the jobs' idempotency keys begin with


def effects_prepare() -> None:
    """Make the table, empty, and have the ledger forget the jobs of an earlier scenario: their numbers are the same."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM tasks_ledger WHERE key LIKE %s", [f"{KEYS}%"])
        cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
        cursor.execute(f"CREATE TABLE {TABLE} (job integer NOT NULL)")


def effect_add(job: int) -> None:
    """The effect of *job*: one row more, in whatever transaction there is."""
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {TABLE} (job) VALUES (%s)", [job])  # noqa: S608 -- our own constant


def effects_doubled() -> int:
    """How many jobs have had their effect more than once."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) - count(DISTINCT job) FROM {TABLE}")  # noqa: S608
        return int(cursor.fetchone()[0])


def effects_drop() -> None:
    """Leave the database as it was."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
