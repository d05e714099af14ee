"""What a relay and a worker do with a job, without a broker and in this process."""

from __future__ import annotations

import json
from typing import Any

from celery import current_app

from tasks.enqueue.models import OutboxMessage


def sent(task_id: str) -> dict[str, Any]:
    """Mark the job sent, as a relay does; return the request that a worker makes of the message."""
    OutboxMessage.objects.filter(task_id=task_id).update(state="sent", sent_at="2020-01-01T00:00Z")
    return request_of(OutboxMessage.objects.get(task_id=task_id))


def request_of(row: OutboxMessage) -> dict[str, Any]:
    """The request that a worker makes of a message."""
    args, kwargs, follows = json.loads(row.body)
    return {**row.headers, **follows, "args": args, "kwargs": kwargs, "called_directly": False}


def deliver(request: dict[str, Any]) -> str:
    """Let a worker have the message; return the name of what it ended with, "returned" when it did."""
    task: Any = current_app.tasks[request["task"]]
    task.push_request(**request)
    try:
        task(*request["args"], **request["kwargs"])
    except Exception as error:  # noqa: BLE001 -- the test looks at it
        return type(error).__name__
    finally:
        task.pop_request()
    return "returned"


def carry_out(task_id: str) -> str:
    """Send the job and let a worker have it."""
    return deliver(sent(task_id))
