"""What a test of batches asks: what was enqueued, and of what."""

from __future__ import annotations

from typing import Any

from tasks import Batch
from tasks.enqueue.models import OutboxMessage
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import delivered, sent


def opened() -> Batch:
    """A batch each of whose callbacks can be told from the others."""
    return Batch(
        complete=dying.follow.si("complete"), success=dying.follow.si("success"), death=dying.follow.si("death")
    )


def callbacks() -> dict[str, int]:
    """How many of each were enqueued."""
    written = OutboxMessage.objects.filter(name="redrive.follow").values_list("body", flat=True)
    words = [word for body in written for word in ("complete", "success", "death") if f'"{word}"' in body]
    return {word: words.count(word) for word in set(words)}


def jobs(name: str = "redrive.plain") -> list[str]:
    """Task ids of that name, in the order in which they were enqueued."""
    return list(OutboxMessage.objects.filter(name=name).order_by("pk").values_list("task_id", flat=True))


def carried_out(task_id: str) -> Any:
    """One delivery of a job."""
    return delivered(sent(task_id))
