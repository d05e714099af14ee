"""What every test finds: the project's Celery app is the current one, though importing pytest-celery makes another."""

from __future__ import annotations

from hypothesis import settings

from project.celery import app

app.set_current()

settings.register_profile("suite", deadline=None)  # on a busy machine an example is slow, not wrong
settings.load_profile("suite")
