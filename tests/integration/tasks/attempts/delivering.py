"""Handing a message to an attempt, as a worker does, without one."""

from __future__ import annotations

from typing import Any

from celery.exceptions import Ignore, Reject, Retry

from tasks import ReliableTask
from tasks.enqueue.models import OutboxMessage


def deliver(task: ReliableTask[..., Any], *args: Any, task_id: str, retries: int = 0, **request: Any) -> Any:
    """Carry out one delivery; answer with what the body's caller gets, or with the exception that Celery gets."""
    task.push_request(id=task_id, args=args, kwargs={}, retries=retries, called_directly=False, **request)
    try:
        return task(*args)
    except (Retry, Ignore, Reject, Exception) as error:  # noqa: BLE001 -- the test looks at it
        return error
    finally:
        task.pop_request()


def job(task_id: str) -> OutboxMessage:
    """Its row."""
    return OutboxMessage.objects.get(task_id=task_id)


def states(name: str) -> list[str]:
    """Of every job of that name."""
    return sorted(OutboxMessage.objects.filter(name=name).values_list("state", flat=True))
