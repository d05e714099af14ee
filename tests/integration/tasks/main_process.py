"""What a worker's main process does with a message, without a broker: the request that it makes of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery import current_app
from kombu.message import Message

from tasks.enqueue.models import OutboxMessage
from tasks.execution.registrar import registrar
from tasks.execution.request import DeadLetterRequest

WITHIN = timedelta(seconds=30)


class Held:
    """A message that the worker holds, and its request."""

    def __init__(self, task_id: str, **headers: Any) -> None:
        row = OutboxMessage.objects.get(task_id=task_id)
        message = Message(
            body=row.body,
            content_type="application/json",
            content_encoding="utf-8",
            headers={**row.headers, **headers},
            properties={"priority": row.priority, "correlation_id": task_id, "reply_to": ""},
            delivery_info={"exchange": row.exchange, "routing_key": row.routing_key},
        )
        self.is_acknowledged = False
        self.requeued: bool | None = None
        self.request: Any = DeadLetterRequest(
            message,
            app=current_app,
            task=current_app.tasks[row.name],
            on_ack=self._acknowledge,
            on_reject=self._reject,
            hostname="held@here",
        )

    def be_dropped(self, *, expired: bool = False, terminated: bool = False) -> None:
        """Celery's own end of it: revoked, unless told otherwise. Returns when all is written that can be."""
        reason = "expired" if expired else "terminated" if terminated else "revoked"
        self.request._announce_revoked(reason, terminated, None, expired)
        self.settle()

    def settle(self) -> None:
        """Wait until the registrar has nothing left to write."""
        assert registrar.flush(WITHIN)

    def _acknowledge(self, *_: object) -> None:
        self.is_acknowledged = True

    def _reject(self, *args: Any) -> None:
        self.requeued = args[-1]
