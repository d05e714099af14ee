"""The project's settings, with the smoke tests' jobs beside the project's."""

from __future__ import annotations

import os

from config.queues import NORMAL, QUEUES
from project.settings.test import *  # noqa: F403
from project.settings.test import CELERY_BROKER_TRANSPORT_OPTIONS as _TRANSPORT_OPTIONS
from project.settings.test import CELERY_TASK_ROUTES as _ROUTES

CELERY_IMPORTS = ["tests.e2e.smoke.jobs"]
_NOTES: list[tuple[str, dict[str, object]]] = [
    (f"smoke.note_{queue}", {"queue": queue, "priority": NORMAL}) for queue in QUEUES
]
CELERY_TASK_ROUTES = ([*_NOTES, *_ROUTES[0]],)

# How long a dead worker's job lies before it is handed out again: an hour, which no test waits for.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    **_TRANSPORT_OPTIONS,
    "visibility_timeout": float(os.environ.get("SMOKE_VISIBILITY_TIMEOUT", _TRANSPORT_OPTIONS["visibility_timeout"])),
}
