"""The project as a Django app: sets up logging and what every job's log lines carry."""

from __future__ import annotations

from typing import Any

import structlog
from celery.signals import setup_logging
from django.apps import AppConfig
from django.conf import settings
from django_structlog.celery import signals

from project import celery, logs
from project.garbage import look_as_usual

# What follows a request into its jobs. The rest of the request's context (path, address) stays with the request.
INHERITED = frozenset({"request_id", "user_id", "parent_task_id"})


class ProjectConfig(AppConfig):
    """Wires logging, and ends the start. Listed last in INSTALLED_APPS."""

    celery_app = celery.app  # what `@shared_task` and `.delay()` find from now on
    name = "project"
    label = "project"

    def ready(self) -> None:
        logs.configure(settings.LOGGING)
        setup_logging.connect(leave_logging_alone, dispatch_uid="project.leave_logging_alone")
        signals.bind_extra_task_metadata.connect(bind_job, dispatch_uid="project.bind_job")
        signals.modify_context_before_task_publish.connect(keep_inherited, dispatch_uid="project.keep_inherited")
        look_as_usual()


def leave_logging_alone(**_: Any) -> None:
    """Keep Celery from setting the root logger to its own level, WARNING, at which no job writes its lines."""


def bind_job(task: Any, **_: Any) -> None:
    """Put the job's identity on every log line written while it runs."""
    request = task.request
    structlog.contextvars.bind_contextvars(
        task=task.name,
        attempt=request.retries + 1,
        root_id=request.root_id,
        queue=(request.delivery_info or {}).get("routing_key"),
    )


def keep_inherited(context: dict[str, Any], **_: Any) -> None:
    """Let only INHERITED travel in a message's headers."""
    for name in context.keys() - INHERITED:
        del context[name]
