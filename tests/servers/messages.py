"""What waits in the broker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from project.celery import app


@dataclass(frozen=True, slots=True)
class Waiting:
    """One message: the task's wire name, its arguments, and its ETA as text (None: at once)."""

    task: str
    args: list[Any]
    kwargs: dict[str, Any]
    eta: str | None


def messages_take(queue: str) -> list[Waiting]:
    """Take every message out of *queue*."""
    taken = []
    with app.connection_for_read() as connection:
        bound = app.amqp.queues[queue](connection.default_channel)
        while message := bound.get(no_ack=True):
            args, kwargs, _ = message.decode()
            taken.append(Waiting(message.headers["task"], args, kwargs, message.headers["eta"]))
    return taken
