"""The chores as tasks."""

from __future__ import annotations

from datetime import timedelta

from django.db import OperationalError

from tasks import task

from .services import sessions


@task("ops.clear_sessions", time_limit=timedelta(minutes=2), retry_on=(OperationalError,))
def clear_sessions() -> None:
    """Delete expired sessions."""
    sessions.sessions_clear_expired()
