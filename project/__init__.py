"""The composition root: the one place that knows every other.

The Celery app is imported here so that `@shared_task` finds it as soon as Django starts.
"""

from __future__ import annotations

from project.garbage import look_rarely

look_rarely()

from project.celery import app as celery_app  # noqa: E402

__all__ = ["celery_app"]
