"""The outbox in the admin: each job, its message, and how far it has come."""

from __future__ import annotations

from django.contrib import admin

from ..enqueue.models import OutboxMessage
from .read_only import ReadOnlyAdmin


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin):
    """Newest first. Searched by task id alone: anything else would read the whole table."""

    list_display = ["task_id", "name", "state", "retries", "due_at", "sent_at", "started_at", "finished_at", "problem"]
    list_filter = ["state"]
    search_fields = ["=task_id"]
    search_help_text = "A task id, whole"
    ordering = ["-id"]
