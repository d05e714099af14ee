"""Writing dead letters and attempts, in the caller's transaction: with the end of the job, or not at all.

Everything is bounded but the message itself, whatever PostgreSQL can't hold is made readable, and what is secret is
blacked out, so that a death is never lost for the way it looks. See `letter_models` for the states.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from psycopg.types.json import Jsonb

from ..conf import conf
from ..enqueue import rows
from ..signals import letter_arrived
from .blackening import Blackened, blackened
from .fingerprints import fingerprint
from .letter_models import DeadLetter, JobAttempt
from .readable import bounded, readable
from .remains import Cause, Remains, links_of, mapping
from .sealing import seal

log = logging.getLogger(__name__)

# Also of a redrive's header, for a batch's; named here as this room doesn't know the batches.
BATCH: Final = "tasks_batch"
MESSAGE_MAX: Final = 2_000
TRACEBACK_MAX: Final = 20_000
NOTE_MAX: Final = 500

_COLUMNS: Final = (
    "task_id", "generation", "name", "state", "reason", "queue", "exchange", "priority", "headers", "properties",
    "body", "sealed", "raw", "root_id", "parent_id", "group_id", "batch_id", "idempotency_key", "error_type",
    "error_message", "culprit", "fingerprint", "release", "retries", "deliveries", "deaths", "first_seen_at",
    "last_seen_at", "closed_by", "note",
)  # fmt: skip
# What a further death says anew.
_AGAIN: Final = (
    "state", "reason", "error_type", "error_message", "culprit", "fingerprint", "release", "retries", "deliveries",
    "last_seen_at", "closed_by", "note",
)  # fmt: skip
# The message stays the first one's: what a redrive has edited is with the redrive. But a job that was given a new
# message otherwise, or is another one under the same id, is what a further redrive is to send.
_OF_THE_MESSAGE: Final = (
    "name", "queue", "exchange", "priority", "headers", "properties", "body", "sealed", "raw", "root_id", "parent_id",
    "group_id", "batch_id", "idempotency_key",
)  # fmt: skip
_IS_OTHER: Final = "%(is_replaced)s OR %(is_new)s AND excluded.generation <= tasks_deadletter.generation"
_WRITE: Final = f"""
    INSERT INTO tasks_deadletter ({", ".join(_COLUMNS)}) VALUES ({", ".join(f"%({name})s" for name in _COLUMNS)})
    ON CONFLICT (task_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _AGAIN)}, {
    ", ".join(
        f"{name} = CASE WHEN {_IS_OTHER} THEN excluded.{name} ELSE tasks_deadletter.{name} END"
        for name in _OF_THE_MESSAGE
    )
},
        generation = greatest(tasks_deadletter.generation, excluded.generation),
        deaths = tasks_deadletter.deaths + 1, closed_at = NULL
    WHERE %(is_new)s OR excluded.generation > tasks_deadletter.generation OR tasks_deadletter.state = 'discarded'
    RETURNING id
"""  # noqa: S608 -- names only
_REDRIVE_ENDED: Final = """
    UPDATE tasks_redrive SET outcome = %(outcome)s, ended_at = now()
    WHERE letter_id = %(letter)s AND generation = %(generation)s AND outcome = 'pending'
"""
_RESOLVE: Final = """
    UPDATE tasks_deadletter SET state = 'resolved', closed_at = now()
    WHERE task_id = %(id)s AND state = 'redriven' RETURNING id
"""
_ATTEMPT: Final = """
    INSERT INTO tasks_jobattempt (task_id, generation, retries, deliveries, outcome, begun_at, ended_at, worker,
        error_type, error_message, traceback)
    VALUES (%s, %s, %s, %s, %s, %s, clock_timestamp(), %s, %s, %s, %s)
"""
_DEATHS: Final = """
    SELECT count(*) FROM tasks_jobattempt WHERE task_id = %s AND generation = %s AND outcome = 'died'
"""


def letter_write(
    remains: Remains, cause: Cause, *, idempotency_key: str = "", is_new: bool = False
) -> DeadLetter | None:
    """Keep a dead job, and tell of it by `letter_arrived`. None when this death is on record already.

    is_new: it can't be, as the job was alive on record until now.
    """
    black = blackened(remains)
    values = {
        **_message(remains, black),
        **_cause(remains, cause, black),
        "idempotency_key": idempotency_key[:255],
        "is_new": is_new,
        "is_replaced": remains.is_replaced,
    }
    with rows.cursor() as cursor:
        cursor.execute(_WRITE, values)
        found = cursor.fetchone()
        if found is None:
            return None
        if remains.generation:
            given = {"outcome": "died", "letter": found[0], "generation": remains.generation}
            cursor.execute(_REDRIVE_ENDED, given)
    letter = DeadLetter.objects.using(rows.alias()).get(pk=found[0])
    letter_arrived.send(sender=DeadLetter, letter=letter)
    return letter


def letter_note(letter: DeadLetter | None, problem: str) -> None:
    """Add to the letter what has gone wrong beside the death itself; nothing for a job that leaves none."""
    if letter is not None:
        letter.note = bounded("; ".join(filter(None, (letter.note, problem))), NOTE_MAX)
        letter.save(update_fields=["note"], using=rows.alias())


def letter_resolve(task_id: str, generation: int) -> None:
    """A redriven job has succeeded: so has its redrive, and its letter is resolved."""
    with rows.cursor() as cursor:
        cursor.execute(_RESOLVE, {"id": task_id})
        found = cursor.fetchone()
        if found is not None:
            cursor.execute(_REDRIVE_ENDED, {"outcome": "succeeded", "letter": found[0], "generation": generation})


def attempt_write(
    remains: Remains, cause: Cause, outcome: JobAttempt.Outcome, *, begun_at: datetime | None, worker: str
) -> None:
    """Keep what is known of an attempt that did not succeed. begun_at: None when nobody saw it begin."""
    black = blackened(remains)
    with rows.cursor() as cursor:
        cursor.execute(
            _ATTEMPT,
            [
                bounded(remains.id, 255),
                remains.generation,
                remains.retries,
                remains.deliveries,
                outcome.value,
                begun_at,
                bounded(worker, 255),
                bounded(cause.error_type, 200),
                # Blacked out before it is cut: of a secret across the cut the half would be left.
                bounded(black.text(cause.error_message), MESSAGE_MAX),
                bounded(black.text(cause.traceback), TRACEBACK_MAX, keep_end=True),
            ],
        )


def deaths(remains: Remains) -> int:
    """How often the job has taken the process that ran it with it, since it was enqueued or redriven."""
    with rows.cursor() as cursor:
        cursor.execute(_DEATHS, [bounded(remains.id, 255), remains.generation])
        return int(cursor.fetchone()[0])


def _message(remains: Remains, black: Blackened) -> dict[str, Any]:
    headers = remains.headers
    return {
        "task_id": bounded(remains.id, 255),
        "generation": remains.generation,
        "name": bounded(remains.name, 200),
        "state": DeadLetter.State.OPEN.value,
        "queue": bounded(remains.queue, 200),
        "exchange": bounded(remains.exchange, 200),
        "priority": remains.priority,
        "headers": Jsonb(black.headers),
        "properties": Jsonb(black.properties),
        "body": black.body,
        "sealed": _sealed(remains, black),
        "raw": remains.raw,
        "root_id": _header(headers, "root_id"),
        "parent_id": _header(headers, "parent_id"),
        "group_id": _header(headers, "group"),
        "batch_id": _batch(remains),
        "retries": remains.retries,
        "deliveries": remains.deliveries,
    }


def _cause(remains: Remains, cause: Cause, black: Blackened) -> dict[str, Any]:
    now = timezone.now()
    message = bounded(black.text(cause.error_message), MESSAGE_MAX)
    return {
        "reason": cause.reason.value,
        "error_type": bounded(cause.error_type, 200),
        "error_message": message,
        "culprit": bounded(cause.culprit, 300),
        "fingerprint": fingerprint(cause.error_type, cause.culprit or remains.name, message),
        "release": bounded(conf().release, 100),
        "deaths": 1,
        "first_seen_at": now,
        "last_seen_at": now,
        "closed_by": "",
        "note": "",
    }


def _sealed(remains: Remains, black: Blackened) -> bytes | None:
    if black.is_faithful:
        return None
    try:
        return seal({"headers": remains.headers, "properties": remains.properties, "body": remains.body})
    except (ImproperlyConfigured, TypeError, ValueError) as problem:
        # Better a letter that can only be redriven with its secrets given anew than none, or one that shows them.
        log.warning("the secrets of %s[%s] are not kept with its letter: %s", remains.name, remains.id, problem)
        return None


def _batch(remains: Remains) -> str:
    """The batch or chord of which the job is a member, or that its chain ends in."""
    own = _header(remains.headers, BATCH)
    if own:
        return own
    _, _, follows = remains.parts
    if follows.get("chord"):
        return _header(remains.headers, "group")
    for link in links_of(follows.get("chain")):
        options = mapping(link.get("options"))
        if found := _header(mapping(options.get("headers")), BATCH):
            return found
        if options.get("chord"):
            return _header(options, "group_id")
    return ""


def _header(headers: Mapping[str, Any], name: str) -> str:
    value = headers.get(name)
    return bounded(readable(value), 255) if isinstance(value, str) else ""
