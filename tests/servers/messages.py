"""What waits: in the outbox, and in the broker."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from project.celery import app
from tasks.enqueue.models import OutboxMessage


@dataclass(frozen=True, slots=True)
class Waiting:
    """One message: the task's wire name, its arguments, and its ETA as text (None: at once)."""

    task: str
    args: list[Any]
    kwargs: dict[str, Any]
    eta: str | None


def messages_take(queue: str) -> list[Waiting]:
    """Take every message for *queue* out of the outbox, and out of the broker."""
    taken = []
    for row in OutboxMessage.objects.filter(routing_key=queue, state__in=["queued", "scheduled"]).order_by("pk"):
        args, kwargs, _ = json.loads(row.body)
        eta = row.due_at.isoformat() if row.state == OutboxMessage.State.SCHEDULED else None
        taken.append(Waiting(row.name, args, kwargs, eta))
        row.delete()
    with app.connection_for_read() as connection:
        bound = app.amqp.queues[queue](connection.default_channel)
        while message := bound.get(no_ack=True):
            args, kwargs, _ = message.decode()
            taken.append(Waiting(message.headers["task"], args, kwargs, message.headers["eta"]))
    return taken
