"""The tasks that are registered, in a process that imports the modules that hold them only when it needs one."""

from __future__ import annotations

from functools import cache
from typing import Any

from celery import Celery, current_app


def find_task(name: str) -> Any:
    """The task registered under the wire name *name*; None when there is none."""
    if name not in current_app.tasks:
        _import_modules(current_app._get_current_object())  # type: ignore[attr-defined] # what the proxy stands for
    return current_app.tasks.get(name)


@cache
def _import_modules(app: Celery) -> None:
    """Import the modules that hold tasks: a web process, or the relay, does so when it needs one. Once: it is slow."""
    app.loader.import_default_modules()
