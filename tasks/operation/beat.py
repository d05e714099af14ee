"""The scheduler that `celery beat` runs."""

from __future__ import annotations

from typing import Any

from django_celery_beat.schedulers import DatabaseScheduler

from .heartbeat import heartbeat_file


class HeartbeatScheduler(DatabaseScheduler):  # type: ignore[misc]
    """django-celery-beat's, which looks at its schedule every 5 s at least, with a sign of life after each look."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._heartbeat = heartbeat_file()
        super().__init__(*args, **options)

    def tick(self, *args: Any, **options: Any) -> float:
        """Send what is due. Returns the seconds to the next look."""
        pause: float = super().tick(*args, **options)
        if self._heartbeat is not None:
            self._heartbeat.touch()
        return pause
