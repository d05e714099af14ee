"""The relay: sends committed messages to the broker. A process of its own (`manage.py relay`); any number may run.

Each round is one transaction: lock a batch of queued rows in order of priority and age (SKIP LOCKED, so two relays
never hold the same one), hand it to the broker in one batch, mark it sent, commit.

- Dies before the broker has it: the locks go, the rows are still queued, any relay sends them.
- Dies after the broker has it and before the commit: the same, so those are sent twice. Harmless by the ledger.
- The broker is away: the round is rolled back; the rows stay, and the relay waits longer each time.
- The broker refuses one message: the batch is sent one by one, and that row is set aside with the reason. RabbitMQ
  says of a batch which messages no queue would get, after it has taken the others: those are set aside at once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Self

from celery import Celery
from django.db import transaction
from kombu import Producer
from kombu.exceptions import BatchPublishError, OperationalError  # type: ignore[attr-defined]

from .. import crashpoints
from ..delivery.routing import PartlyUnroutable
from ..signals import message_unsendable
from . import rows
from .unique_locks import lock_release

BATCH: Final = 500

_CLAIM: Final = """
    SELECT id, task_id, exchange, routing_key, priority, headers, properties, body FROM tasks_outbox
    WHERE state = 'queued' ORDER BY priority, id LIMIT %s FOR UPDATE SKIP LOCKED
"""
_SENT: Final = "UPDATE tasks_outbox SET state = 'sent', sent_at = now(), send_failures = 0 WHERE id = ANY(%s)"
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


class BrokerAway(ConnectionError):
    """The broker did not take a batch; its rows stay in the outbox."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error

    def __str__(self) -> str:
        return f"the broker took nothing ({self.error}); the messages stay in the outbox"


@dataclass(slots=True)
class Round:
    """What one round did: how many messages were sent, and which rows were set aside, with why."""

    sent: int = 0
    refused: list[tuple[int, str, str]] = field(default_factory=list)


class Relay:
    """Sends batches over one connection to the broker. Not for use by several threads."""

    def __init__(self, app: Celery, *, batch: int = BATCH) -> None:
        if batch < 1:
            raise ValueError(f"batch must be at least 1, not {batch}")
        self.app, self.batch = app, batch
        self._connection: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()

    def disconnect(self) -> None:
        """Drop the connection to the broker; the next round makes a new one."""
        if self._connection is not None:
            self._connection.release()
            self._connection = None

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
        """Send one batch of queued rows. Raises BrokerAway, with nothing marked, when the broker takes none."""
        done = Round()
        with transaction.atomic(using=rows.alias()), rows.cursor() as cursor:
            cursor.execute(_CLAIM, [self.batch])
            messages = cursor.fetchall()
            if not messages:
                return done
            done.refused = self._hand_over(messages)
            crashpoints.reach("after_send", "relay")
            aside = {row for row, _, _ in done.refused}
            for row, task_id, problem in done.refused:
                cursor.execute(_SET_ASIDE, [problem, row])
                lock_release(task_id, "unsendable")
                message_unsendable.send(sender=Relay, task_id=task_id, problem=problem)
            sent = [message[0] for message in messages if message[0] not in aside]
            cursor.execute(_SENT, [sent])
            done.sent = len(sent)
        return done

    def _hand_over(self, messages: Sequence[tuple[Any, ...]]) -> list[tuple[int, str, str]]:
        """Give *messages* to the broker; return (row, task id, reason) for each that it refuses."""
        try:
            self._publish_all(messages)
        except self._away() as error:
            self.disconnect()
            raise BrokerAway(type(error.__cause__ or error).__name__) from error
        except PartlyUnroutable as given_back:
            why = given_back.why
            return [(row, job, f"Unroutable: {why[job]}"[:500]) for row, job, *_ in messages if job in why]
        except Exception:  # noqa: BLE001 -- whatever it is, one message is to blame, and the others must go
            return self._one_by_one(messages)
        return []

    def _publish_all(self, messages: Sequence[tuple[Any, ...]]) -> None:
        producer: Any = Producer(self._connected().default_channel, auto_declare=False)
        with producer.batch(max_size=self.batch * 4):
            for message in messages:
                _publish(producer, message)

    def _one_by_one(self, messages: Sequence[tuple[Any, ...]]) -> list[tuple[int, str, str]]:
        refused = []
        for message in messages:
            try:
                self._publish_all([message])
            except self._away() as error:
                self.disconnect()
                raise BrokerAway(type(error).__name__) from error
            except Exception as error:  # noqa: BLE001
                refused.append((message[0], message[1], f"{type(error).__name__}: {error}"[:500]))
        return refused

    def _away(self) -> tuple[type[BaseException], ...]:
        connection = self._connection or self.app.connection_for_write()
        # kombu counts KeyError among them, for a poller of its own; here it is a fault of one message.
        lost = [kind for kind in connection.connection_errors if kind is not KeyError]
        return (OSError, OperationalError, BatchPublishError, *lost)

    def _connected(self) -> Any:
        if self._connection is None:
            # A pipeline that is silently tried again is no batch, so kombu's Redis transport refuses that.
            options = {**self.app.conf.broker_transport_options, "retry_on_timeout": False}
            connection: Any = self.app.connection_for_write(transport_options=options)
            connection.ensure_connection(max_retries=1, timeout=5)
            with closing(connection.channel()) as channel:
                for queue in self.app.amqp.queues.values():
                    queue(channel).declare()
            self._connection = connection
        return self._connection


def _publish(producer: Producer, message: tuple[Any, ...]) -> None:
    _, _, exchange, routing_key, priority, headers, properties, body = message
    producer.publish(
        body,
        content_type="application/json",
        content_encoding="utf-8",
        exchange=exchange,
        routing_key=routing_key,
        priority=priority,
        headers=_loaded(headers),
        delivery_mode=2,
        **_loaded(properties),
    )


def _loaded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
