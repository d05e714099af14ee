"""The toolkit as a Django app. The label is fixed, so that tables keep their names wherever the folder is copied."""

from __future__ import annotations

from django.apps import AppConfig


class TasksConfig(AppConfig):
    """Django's handle on the toolkit."""

    name = __package__
    label = "tasks"
    verbose_name = "Background jobs"

    def ready(self) -> None:
        """Connect what listens to Celery, and to the relay."""
        from .execution import departure, revocation, unsendable  # noqa: F401
