"""The worker's consumer: what no task can be given is kept, and the worker goes on.

Celery's own drops a message for a task that it doesn't know, and one that it can't read, and some of those end the
worker. Here each becomes a dead letter, written before the message is acknowledged. One for an unknown task is parked
first, in the outbox, and comes again a few times: a deploy may be under way, and the next worker may know it.

Set `worker_consumer = "tasks.execution.consumer:DeadLetterConsumer"`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final

from celery import signals
from celery.exceptions import NotRegistered
from celery.utils.log import get_logger
from celery.worker.consumer import Consumer
from django.utils import timezone

from ..conf import conf
from ..enqueue import rows
from ..errors import UnknownTask
from ..failure.remains import Cause, Remains
from .deaths import Reason
from .losses import row_of
from .messages import flaw, message_die, remains_of
from .registrar import registrar

log = get_logger(__name__)

# How long a message for a task that isn't here waits, each time that it comes; then it is dead.
UNKNOWN_TASK_DELAYS: Final = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5))
PARKED: Final = "tasks_parked"


class DeadLetterConsumer(Consumer):
    """Keeps what can't be carried out."""

    # Celery's own, which its stubs leave out.
    call_soon_ack: Callable[..., Any]
    connection_errors: tuple[type[Exception], ...]

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        """Celery's, behind a look at the message: what is malformed ends its strategy, and with it the worker."""
        handle = super().create_task_handler(*args, **kwargs)

        def on_task_received(message: Any) -> Any:
            if problem := flaw(message):
                return self._keep(message, Reason.UNDECODABLE, TypeError(problem))
            return handle(message)

        return on_task_received

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Its body can't be read."""
        self._keep(message, Reason.UNDECODABLE, exc)

    def on_unknown_message(self, body: Any, message: Any) -> None:
        """It can be read, and is no task's."""
        self._keep(message, Reason.UNDECODABLE, TypeError("it is no message of a task's"))
        signals.task_rejected.send(sender=self, message=message, exc=None)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        """Its content type isn't accepted, or its ETA or expiry is none."""
        self._keep(message, Reason.UNDECODABLE, exc)
        signals.task_rejected.send(sender=self, message=message, exc=exc)

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        """No task of its name is registered here."""
        remains = remains_of(message)
        if remains.raw is not None or not remains.task_id:
            self._keep(message, Reason.UNKNOWN_TASK, NotRegistered(remains.name))
            return
        log.error("no task is registered as %r, which %s is for", remains.name, remains.task_id)
        error = UnknownTask(remains.name, tuple(sorted(self.app.tasks)))
        self._record(message, remains, partial(park_or_die, remains, error))
        signals.task_unknown.send(sender=self, message=message, exc=exc, name=remains.name, id=remains.task_id)

    def _keep(self, message: Any, reason: Reason, error: BaseException) -> None:
        remains = remains_of(message)
        log.error("a message %s in %r can't be carried out: %s", remains.id, remains.queue, type(error).__name__)
        self._record(message, remains, partial(message_die, remains, Cause.of(reason, error)))

    def _record(self, message: Any, remains: Remains, write: Callable[[], Any]) -> None:
        """Have it written, then acknowledge the message."""

        def acknowledge(_: Any) -> None:
            self.call_soon_ack(message.ack_log_error, log, self.connection_errors)

        registrar.put(f"message {remains.id}", write, acknowledge)


def park_or_die(remains: Remains, error: UnknownTask) -> None:
    parked = remains.headers.get(PARKED, 0)
    if not isinstance(parked, int) or parked >= len(UNKNOWN_TASK_DELAYS):
        message_die(remains, Cause.of(Reason.UNKNOWN_TASK, error))
        return
    due_at = timezone.now() + UNKNOWN_TASK_DELAYS[parked] * conf().retry_time_scale
    row = row_of(remains, due_at=due_at)
    row.headers[PARKED] = parked + 1
    rows.insert_again(row)
