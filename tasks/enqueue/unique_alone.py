"""That a unique task is enqueued by itself: another job may stand for it, so nothing can be made to follow it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from celery import current_app

from ..errors import UniqueRefused

# What makes of a call a part of something, or lets something follow it.
_FOLLOWS: Final = ("chain", "chord", "link", "link_error")
_CANVAS: Final = ("chain", "group", "chord")
_PARTS: Final = ("tasks", "header", "body")

IN_CANVAS: Final = "part of a chain, group, chord or batch, or a callback"


def check_alone(task: str, options: Mapping[str, Any]) -> None:
    """Raise UniqueRefused when a call of the unique *task* with these options has anything to do with another job."""
    if options.get("group_id") or any(options.get(name) for name in _FOLLOWS):
        raise UniqueRefused(task, IN_CANVAS)


def check_followers(options: Mapping[str, Any]) -> None:
    """Raise UniqueRefused when among what is to follow a job there is a unique task."""
    for name in _FOLLOWS:
        refuse_unique(options.get(name))


def refuse_unique(canvas: Any) -> None:
    """Raise UniqueRefused for the first unique task in *canvas*: a signature, as an object or as JSON, or a list."""
    if isinstance(canvas, list | tuple):
        for part in canvas:
            refuse_unique(part)
    elif isinstance(canvas, Mapping):
        task: Any = current_app.tasks.get(str(canvas.get("task")))
        if getattr(task, "unique", None):
            raise UniqueRefused(str(task.name), IN_CANVAS)
        if canvas.get("subtask_type") in _CANVAS:
            for name in _PARTS:
                refuse_unique((canvas.get("kwargs") or {}).get(name))
        check_followers(canvas.get("options") or {})
