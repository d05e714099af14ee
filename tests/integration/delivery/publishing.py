"""Celery apps that only publish, one a broker."""

from __future__ import annotations

from functools import cache

from celery import Celery

import tasks.delivery  # noqa: F401 # registers the schemes


@cache
def app_for(url: str) -> Celery:
    """An app on the broker *url*, which isn't made the current one."""
    app = Celery("lease-publisher", broker=url, set_as_current=False)
    app.conf.update(task_default_queue="jobs", task_ignore_result=True)
    return app
