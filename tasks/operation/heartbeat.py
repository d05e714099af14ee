"""A sign of life that is cheap to check: a file that is touched for as long as a worker or a beat does its work.

`celery inspect ping` boots an interpreter and asks by way of the broker; asked every few seconds by a container's
health check, that costs more than an idle worker. Here the process itself touches `TASKS["HEARTBEAT_FILE"]` every
INTERVAL, and whoever wants to know looks at the file's age:

    find "$HEARTBEAT_FILE" -newermt '-30 seconds' | grep -q .

A worker touches it from its event loop, only while it is connected to its broker: the timer ends with the connection
and begins anew with the next one. So the file grows old when the process is gone or stopped, when its loop hangs, and
when the broker stays away. How soon a broker is missed that hangs without closing its connections is the transport's
affair: after the socket's time-out on Redis, after two heartbeats on AMQP. The file says nothing of the jobs: one that
hangs is ended by its own time limit. A beat touches it after every look at its schedule (`beat.py`).
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from celery import bootsteps
from django.core.exceptions import ImproperlyConfigured

from ..conf import conf

INTERVAL: Final = timedelta(seconds=5)

# An older file than this means that something is wrong. It allows for a reconnection and for a busy machine.
STALE_AFTER: Final = timedelta(seconds=30)


def heartbeat_file() -> Path | None:
    """The file to touch, or None where nobody asks for one. Raises ImproperlyConfigured where it can't be written."""
    if not conf().heartbeat_file:
        return None
    file = Path(conf().heartbeat_file)
    if not os.access(file.parent, os.W_OK):
        raise ImproperlyConfigured(
            f"TASKS['HEARTBEAT_FILE'] is {str(file)!r}, but nothing can be written to {str(file.parent)!r}: "
            "name a file in a directory that exists and is writable, or leave it empty."
        )
    return file


class WorkerHeartbeat(bootsteps.StartStopStep):
    """Add it to `app.steps["consumer"]`."""

    def __init__(self, parent: Any, **options: Any) -> None:
        self._file = heartbeat_file()
        super().__init__(parent, **options)

    def include_if(self, parent: Any) -> bool:
        """Only where a file is asked for. Raises ImproperlyConfigured for a pool whose life it couldn't tell."""
        if self._file is not None and parent.hub is None:
            raise ImproperlyConfigured(
                "TASKS['HEARTBEAT_FILE'] is set, but this worker has no event loop to touch it from: "
                "use the prefork pool, or leave the setting empty."
            )
        return self._file is not None

    def register_with_event_loop(self, parent: Any, hub: Any) -> None:
        """Called each time the loop begins on a new connection. Celery cancels the timer when that one is lost."""
        if self._file is not None:
            self._file.touch()
            hub.call_repeatedly(INTERVAL.total_seconds(), self._file.touch)
