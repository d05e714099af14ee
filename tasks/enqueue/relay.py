"""The relay: sends committed messages to the broker. A process of its own (`manage.py relay`); any number may run.

Each round is one transaction: lock a batch of queued rows in order of priority and age (SKIP LOCKED, so two relays
never hold the same one), hand it to the broker in one batch, mark it sent, commit.

- Dies before the broker has it: the locks go, the rows are still queued, any relay sends them.
- Dies after the broker has it and before the commit: the same, so those are sent twice. Harmless by the ledger.
- The broker is away, or takes nothing, whatever the reason: the rows stay, and the relay waits longer each time.
- A message can't be sent: the batch is sent one by one (`sending.py`), and that row is set aside with the reason.
- So it can't, and a transaction that is open has enqueued the same unique job: the row waits, and nobody for it.
- The broker refuses some messages for a reason that may pass, a queue that it lets nobody write to, say: those rows
  stay, and are left alone for a while; the others go.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Self

from celery import Celery
from django.db import transaction

from .. import crashpoints
from ..signals import message_unsendable
from . import rows
from .leaving import Leaving
from .recording import UNWATCHED
from .sending import BrokerAway, Message, Outcome, Refusal, Sender
from .unique_locks import lock_is_held_back, lock_release

__all__ = ["BATCH", "BrokerAway", "Relay", "Round"]

log = logging.getLogger(__name__)

BATCH: Final = 500

# How long a row, and a queue, is left alone that the broker refuses for a reason that may pass.
ROW_WAIT: Final = timedelta(seconds=30)
WAY_WAIT: Final = timedelta(seconds=10)

# How many batches a round goes through, of which the broker takes nothing, to find something that it takes.
TURNS: Final = 10

_CLAIM: Final = """
    SELECT id, task_id, exchange, routing_key, priority, headers, properties, body FROM tasks_outbox
    WHERE state = 'queued' AND id <> ALL(%(rows)s::bigint[])
        AND concat(exchange, ' ', routing_key) <> ALL(%(ways)s::text[])
    ORDER BY priority, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
_SENT: Final = f"""
    UPDATE tasks_outbox SET state = 'sent', sent_at = now(), send_failures = 0,
        finished_at = CASE WHEN headers ? '{UNWATCHED}' THEN now() END
    WHERE id = ANY(%s)
"""  # noqa: S608 -- a constant only
_SET_ASIDE: Final = """
    UPDATE tasks_outbox SET state = 'unsendable', problem = %s, finished_at = now(), send_failures = send_failures + 1
    WHERE id = %s
"""
_PROMOTE: Final = """
    UPDATE tasks_outbox SET state = 'queued' WHERE id IN (
        SELECT id FROM tasks_outbox WHERE state = 'scheduled' AND due_at <= now()
        ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
    )
"""
_NEXT_DUE: Final = "SELECT extract(epoch FROM min(due_at) - now()) FROM tasks_outbox WHERE state = 'scheduled'"


@dataclass(slots=True)
class Round:
    """What one round did: how many messages were sent, and which rows were set aside, with why."""

    sent: int = 0
    refused: list[Refusal] = field(default_factory=list)


class Relay:
    """Sends batches over one connection to the broker. Not for use by several threads."""

    def __init__(self, app: Celery, *, batch: int = BATCH) -> None:
        if batch < 1:
            raise ValueError(f"batch must be at least 1, not {batch}")
        self.app, self.batch = app, batch
        self._sender = Sender(app)
        self._rows_left: Leaving[int] = Leaving(ROW_WAIT)
        self._ways_shut: Leaving[str] = Leaving(WAY_WAIT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()

    def disconnect(self) -> None:
        """Drop the connection to the broker; the next round makes a new one."""
        self._sender.disconnect()

    def promote_due(self) -> int:
        """Queue the scheduled rows that are due, at most a batch of them; return how many."""
        with rows.cursor() as cursor:
            cursor.execute(_PROMOTE, [self.batch])
            return int(cursor.rowcount)

    def next_due(self) -> timedelta | None:
        """How long until the next scheduled row is due; None when there is none."""
        with rows.cursor() as cursor:
            cursor.execute(_NEXT_DUE)
            seconds = cursor.fetchone()[0]
        return None if seconds is None else timedelta(seconds=max(0.0, float(seconds)))

    def send_batch(self) -> Round:
        """Send one batch of queued rows. Raises BrokerAway when the broker takes nothing more; what it took is marked.

        What was refused for a reason that may pass is left alone for a while, and the next rows are taken instead.
        """
        done = Round()
        why = away = ""
        with transaction.atomic(using=rows.alias()), rows.cursor() as cursor:
            for _ in range(TURNS):
                messages = self._claim(cursor)
                if not messages:
                    break
                outcome = self._hand_over(messages)
                crashpoints.reach("after_send", "relay")
                self._leave(outcome)
                done.sent, done.refused = len(outcome.sent), self._set_aside(cursor, outcome.refused)
                if outcome.sent:
                    cursor.execute(_SENT, [outcome.sent])
                why, away = outcome.why, outcome.away
                if done.sent or done.refused or away:
                    break
        if not away and why and not (done.sent or done.refused):
            self._ways_shut.clear()  # it isn't these queues then
            away = why
        if away:
            raise BrokerAway(away)
        return done

    def _claim(self, cursor: Any) -> list[Message]:
        given = {"rows": self._rows_left.now(), "ways": self._ways_shut.now(), "limit": self.batch}
        cursor.execute(_CLAIM, given)
        return [Message(*found) for found in cursor.fetchall()]

    def _hand_over(self, messages: Sequence[Message]) -> Outcome:
        """Give *messages* to the broker."""
        return self._sender.send(messages)

    def _set_aside(self, cursor: Any, refused: Sequence[Refusal]) -> list[Refusal]:
        """End what can't be sent; return what was ended. Waits for nobody who holds a job's unique lock."""
        done = []
        for row, task_id, problem in refused:
            if lock_is_held_back(task_id):
                self._rows_left.add([row])
                continue
            cursor.execute(_SET_ASIDE, [problem, row])
            log.error("message %s was set aside, it can't be sent: %s", task_id, problem)
            lock_release(task_id, "unsendable")
            message_unsendable.send(sender=Relay, task_id=task_id, problem=problem)
            done.append((row, task_id, problem))
        return done

    def _leave(self, outcome: Outcome) -> None:
        self._rows_left.add(outcome.left)
        self._ways_shut.add(outcome.shut)
        if outcome.why:
            log.warning("relay: the broker refuses some messages (%s); they stay in the outbox", outcome.why)
