"""The outbox in the admin: each job, its message without its secrets, and how far it has come."""

from __future__ import annotations

import json
from typing import Any, Final

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..enqueue.models import OutboxMessage
from ..failure.blackening import Blackened, blackened
from ..failure.remains import of_row
from .read_only import ReadOnlyAdmin

UNREADABLE: Final = "It can't be read, so nobody can tell what is secret in it; the row has it."


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin):
    """Newest first. Searched by task id alone: anything else would read the whole table."""

    list_display = ["task_id", "name", "state", "retries", "due_at", "sent_at", "started_at", "finished_at", "problem"]
    list_filter = ["state"]
    search_fields = ["=task_id"]
    search_help_text = "A task id, whole"
    ordering = ["-id"]
    fields = [
        "task_id", "name", "state", "priority", "retries", "due_at", "exchange", "routing_key", "shown_headers",
        "shown_properties", "shown_body", "send_failures", "shown_problem", "created_at", "sent_at", "started_at",
        "finished_at",
    ]  # fmt: skip

    @admin.display(description="headers")
    def shown_headers(self, row: OutboxMessage) -> SafeString | str:
        """Of the message."""
        shown = _shown(row)
        return UNREADABLE if shown is None else _pretty(shown.headers)

    @admin.display(description="properties")
    def shown_properties(self, row: OutboxMessage) -> SafeString | str:
        """Of the message."""
        shown = _shown(row)
        return UNREADABLE if shown is None else _pretty(shown.properties)

    @admin.display(description="body")
    def shown_body(self, row: OutboxMessage) -> SafeString | str:
        """Arguments, and what follows them."""
        shown = _shown(row)
        return UNREADABLE if shown is None else _pretty(json.loads(shown.body))

    @admin.display(description="problem")
    def shown_problem(self, row: OutboxMessage) -> str:
        """Blacked out once more: it may be from a time when it was not."""
        shown = _shown(row)
        return row.problem if shown is None else shown.text(row.problem)


def _shown(row: OutboxMessage) -> Blackened | None:
    """What may be shown of the message; None when it can't be read."""
    try:
        return blackened(of_row(row))
    except (TypeError, ValueError, AttributeError, RecursionError):
        return None


def _pretty(value: Any) -> SafeString:
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))
