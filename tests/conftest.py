"""What every test finds: the project's Celery app is the current one, though importing pytest-celery makes another."""

from __future__ import annotations

from project.celery import app

app.set_current()
