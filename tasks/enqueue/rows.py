"""Outbox rows in SQL: each way to write them is one statement, and wakes the relay when it commits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from celery import uuid
from django.db import Error, InterfaceError, OperationalError, connections, router

from .models import OutboxMessage

CHANNEL: Final = "tasks_outbox"

# The header that tells a message whose job was given new arguments from the copies that carry the old ones.
EDITION: Final = "tasks_edition"

# The one in which a redrive's message says the how manieth it is; and the one in which a message that has taken its
# place says of which. A redriven job stays one, whatever arguments it is given.
GENERATION: Final = "tasks_generation"
REPLACED: Final = "tasks_replaced"

COLUMNS: Final = (
    "task_id", "name", "state", "priority", "retries", "due_at", "exchange", "routing_key",
    "headers", "properties", "body", "created_at", "send_failures", "problem",
)  # fmt: skip
_NAMES: Final = ", ".join(COLUMNS)
_PLACES: Final = ", ".join(["%s"] * len(COLUMNS))

# NOTIFY is part of the transaction: nobody is woken for what is rolled back.
_INSERT: Final = f"""
    WITH written AS (
        INSERT INTO tasks_outbox ({_NAMES}) VALUES ({_PLACES})
        ON CONFLICT (task_id) DO NOTHING RETURNING state
    )
    SELECT pg_notify('{CHANNEL}', '') FROM written WHERE state = 'queued'
"""  # noqa: S608 -- names only

# A job that ended can't be taken up by a late copy of an attempt before its last; nor can one that has another edition
# now be led back to its old one.
_AGAIN: Final = f"""
    INSERT INTO tasks_outbox ({_NAMES}) VALUES ({_PLACES})
    ON CONFLICT (task_id) DO UPDATE SET
        state = excluded.state, retries = excluded.retries, due_at = excluded.due_at,
        headers = excluded.headers, body = excluded.body, problem = excluded.problem,
        sent_at = NULL, send_failures = 0
    WHERE tasks_outbox.finished_at IS NULL AND tasks_outbox.retries <= excluded.retries
        AND coalesce(tasks_outbox.headers ->> '{EDITION}', '') = coalesce(excluded.headers ->> '{EDITION}', '')
"""  # noqa: S608

# Whoever does this has locked the row, if there is one, and found that the job has ended.
_REVIVE: Final = f"""
    INSERT INTO tasks_outbox ({_NAMES}) VALUES ({_PLACES})
    ON CONFLICT (task_id) DO UPDATE SET
        {", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in ("task_id", "created_at"))},
        sent_at = NULL, started_at = NULL, finished_at = NULL
"""  # noqa: S608

_LOCK_UNBEGUN: Final = """
    SELECT due_at, created_at FROM tasks_outbox
    WHERE task_id = %s AND started_at IS NULL AND finished_at IS NULL FOR UPDATE
"""
_REPLACEABLE: Final = (
    "state", "priority", "due_at", "exchange", "routing_key", "properties", "body", "send_failures",
)  # fmt: skip
_REPLACE: Final = f"""
    WITH written AS (
        UPDATE tasks_outbox SET {", ".join(f"{name} = %s" for name in _REPLACEABLE)}, sent_at = NULL,
            headers = %s::jsonb || CASE WHEN headers ? '{GENERATION}' THEN jsonb_build_object(
                '{GENERATION}', headers -> '{GENERATION}', '{REPLACED}', headers -> '{GENERATION}'
            ) ELSE '{{}}' END
        WHERE task_id = %s RETURNING state
    )
    SELECT pg_notify('{CHANNEL}', '') FROM written WHERE state = 'queued'
"""  # noqa: S608


# What PostgreSQL says when it ends a session: connection errors, shutdowns.
_ENDED: Final = ("08", "57P")

# And of a transaction that it has rolled back, and that may pass the next time: a conflict, a lock that was not to be
# had in time, a time-out, a server that is short of something; a client that was frozen in the middle of it, for longer
# than the server lets a transaction idle (psycopg calls that an internal error).
_IN_THE_WAY: Final = ("40", "55P03", "57014", "53", "58", "25P03", "25P04")


def alias() -> str:
    """The database that holds the outbox."""
    return router.db_for_write(OutboxMessage)


def cursor() -> Any:  # Django's stub of it knows no timedeltas and no COPY
    """A cursor on the outbox's database, inside whatever transaction the caller has open there."""
    return connections[alias()].cursor()


@contextmanager
def by_itself() -> Iterator[None]:
    """Around a statement that commits by itself.

    What cuts it off in the middle, a time limit's signal, ends the session: in that, the next statement would find its
    answer in the way. A transaction ends such a session when it can't be rolled back.
    """
    try:
        yield
    except Error:  # the server's answer
        raise
    except BaseException:
        connection = connections[alias()]
        if not connection.in_atomic_block:
            connection.close()
        raise


def session() -> object:
    """This process's session with the outbox's database, to be told from a later one; None before the first."""
    return connections[alias()].connection


def lost(error: Exception, before: object) -> bool:
    """Whether *error* came of losing the session *before*: then whether its last transaction was committed is unknown.

    Django opens another session by itself, so that a statement works now proves nothing. One that is dead is closed.
    """
    connection = connections[alias()]
    connection.close_if_unusable_or_obsolete()
    state: str | None = getattr(error.__cause__, "sqlstate", None)
    says_so = isinstance(error, OperationalError | InterfaceError) and (state is None or state.startswith(_ENDED))
    return says_so and connection.connection is not before


def in_the_way(error: Exception) -> bool:
    """Whether *error* says that something was in the way of a transaction, which was rolled back for certain.

    False for what isn't PostgreSQL's word: an error of somebody else's database, above all.
    """
    state: str | None = getattr(error.__cause__, "sqlstate", None)
    return state is not None and state.startswith(_IN_THE_WAY)


def transaction_number() -> str | None:
    """By which PostgreSQL knows the transaction that is open; None when it has written nothing."""
    with cursor() as execute:
        execute.execute("SELECT pg_current_xact_id_if_assigned()::text")
        number: str | None = execute.fetchone()[0]
    return number


def became_of(number: str) -> str | None:
    """What became of a transaction: committed, aborted, or still in progress; None when it is too long ago to know."""
    with cursor() as execute:
        execute.execute("SELECT pg_xact_status(%s::xid8)", [number])
        status: str | None = execute.fetchone()[0]
    return status


def insert(messages: Sequence[OutboxMessage]) -> None:
    """Write new jobs. One whose task id is there already is left as it is: the same job, enqueued twice."""
    with cursor() as execute:
        for message in messages:
            execute.execute(_INSERT, values(message))


def insert_again(message: OutboxMessage) -> None:
    """Write a job's next attempt: the row of its task id, or a new one for a job that had none."""
    with cursor() as execute:
        execute.execute(_AGAIN, values(message))


def revive(messages: Sequence[OutboxMessage]) -> None:
    """Write jobs that have ended, or whose row is gone, as jobs that were never begun."""
    with cursor() as execute:
        execute.executemany(_REVIVE, [values(message) for message in messages])
        execute.execute(f"SELECT pg_notify('{CHANNEL}', '')")


def lock_unbegun(task_id: str) -> tuple[datetime, datetime] | None:
    """Lock a job that was never begun, so that nobody sends or begins it; return when it is due and was made.

    None when it has begun or ended, or is gone. Waits for a relay that has it in hand.
    """
    with cursor() as execute:
        execute.execute(_LOCK_UNBEGUN, [task_id])
        found: tuple[datetime, datetime] | None = execute.fetchone()
    return found


def replace(message: OutboxMessage) -> None:
    """Give a job that `lock_unbegun` has locked a new message. Copies of its old one are void from the commit on."""
    message.headers[EDITION] = uuid()
    given = dict(zip(COLUMNS, values(message), strict=True))
    with cursor() as execute:
        execute.execute(_REPLACE, [*(given[name] for name in _REPLACEABLE), given["headers"], message.task_id])


def copy(jobs: Iterable[Sequence[Any]]) -> int:
    """Write many new jobs, each the values of COLUMNS, by COPY; return how many. Their task ids must be new."""
    written = 0
    with cursor() as execute:
        with execute.copy(f"COPY tasks_outbox ({_NAMES}) FROM STDIN") as stream:
            for job in jobs:
                stream.write_row(job)
                written += 1
        execute.execute(f"SELECT pg_notify('{CHANNEL}', '')")
    return written


def values(message: OutboxMessage) -> list[Any]:
    """The values of COLUMNS, as the statements here take them."""
    found = [getattr(message, name) for name in COLUMNS]
    for place, name in enumerate(COLUMNS):
        if name in ("headers", "properties"):
            found[place] = json.dumps(found[place])
        elif name == "state":
            found[place] = str(found[place])
    return found
