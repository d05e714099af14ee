"""A worker that is told to stop says what it is running: whatever becomes of that now, the job is not to blame."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any, Final

from celery.signals import worker_shutdown, worker_shutting_down

from .losses import stopping
from .registrar import registrar

FLUSHED_WITHIN: Final = timedelta(seconds=5)


@worker_shutting_down.connect(dispatch_uid="tasks_departure")
def _tell(**_: Any) -> None:
    """Take the starts of what runs off the record. Called by a signal handler, so nothing is waited for."""
    from celery.worker.state import active_requests  # the worker's whole machinery: not for a web process

    running = [str(request.id) for request in list(active_requests)]
    if running:
        registrar.put("what this worker runs", partial(stopping, running), lambda _: None)


@worker_shutdown.connect(dispatch_uid="tasks_departure_end")
def _finish(**_: Any) -> None:
    """Let the registrar write what it has; what it can't write isn't acknowledged."""
    registrar.flush(FLUSHED_WITHIN)
