"""Turns what Celery would publish into outbox rows.

Celery itself prepares the message: it freezes a chain's task ids, routes, checks the signature, and lets
`before_task_publish` add its headers. Only the last step differs: a producer that keeps what it is given. So every
canvas, and every retry, goes through the outbox in the very form in which it would have gone to the broker.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import copy
from datetime import datetime
from typing import Any, Final

from django.utils import timezone
from kombu.serialization import dumps

from .in_force import RECORDER
from .models import OutboxMessage
from .native_delay import undelayed
from .stock import is_stock

# The header of a message of Celery's own tasks, which tell nobody that they have begun or ended: the outbox has done
# its part when the broker has it, and must not send it again.
UNWATCHED: Final = "tasks_unwatched"


class Recorder:
    """Stands where Celery expects a kombu Producer; `messages` are the rows it was given, not yet saved.

    takes_unique: whoever records knows what to do with a unique task's message.
    """

    records = True

    def __init__(self, *, takes_unique: bool = False) -> None:
        self.takes_unique = takes_unique
        self.messages: list[OutboxMessage] = []
        self.connection = _NoConnection()
        self.channel = None
        self._due_at: datetime | None = None

    def due(self, at: datetime | None) -> Recorder:
        """One for a message that is due *at* that time, None for now; its messages are this one's.

        Celery isn't told the time: it would have RabbitMQ delay the message, on top of the table (`native_delay`).
        """
        another = copy(self)
        another._due_at = at
        return another

    def publish(
        self,
        body: Any,
        *,
        headers: Any,
        routing_key: str,
        exchange: Any = "",
        serializer: str | None = None,
        priority: int | None = None,
        correlation_id: str = "",
        reply_to: str = "",
        **_publishing: Any,
    ) -> None:
        """Keep one message. What is left out concerns the act of publishing: retries, declarations, time-outs."""
        exchange, routing_key = undelayed(getattr(exchange, "name", exchange) or "", routing_key)
        _, _, text = dumps(body, serializer=serializer or "json")
        if is_stock(headers["task"]):
            headers = {**headers, UNWATCHED: True}
        now = timezone.now()
        due_at = self._due_at or now
        state = OutboxMessage.State.SCHEDULED if due_at > now else OutboxMessage.State.QUEUED
        self.messages.append(
            OutboxMessage(
                task_id=headers["id"],
                name=headers["task"],
                state=state,
                priority=priority or 0,
                retries=headers.get("retries") or 0,
                due_at=due_at,
                exchange=exchange,
                routing_key=routing_key,
                headers=_shown(headers),
                properties={"correlation_id": correlation_id, "reply_to": reply_to},
                body=text,
                created_at=now,
            )
        )


def _shown(headers: dict[str, Any]) -> dict[str, Any]:
    """The headers with what Celery shows of the arguments spelt out where the database's JSON would not hold it."""
    for name in ("argsrepr", "kwargsrepr"):
        if (text := headers.get(name)) and not text.isprintable():
            headers[name] = text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
    return headers


class _NoConnection:
    """What Celery asks of a producer's connection when it publishes: nothing that could fail."""

    def _reraise_as_library_errors(self) -> Any:
        return nullcontext()


@contextmanager
def recording(*, takes_unique: bool = False) -> Iterator[Recorder]:
    """Within it, tasks are recorded instead of published: the toolkit's by themselves, others by `BoundedCelery`."""
    recorder = Recorder(takes_unique=takes_unique)
    token = RECORDER.set(recorder)
    try:
        yield recorder
    finally:
        RECORDER.reset(token)
