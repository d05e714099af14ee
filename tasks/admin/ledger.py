"""The effect ledger in the admin: which effects have happened, and which are under way."""

from __future__ import annotations

from django.contrib import admin

from ..execution.models import LedgerEntry
from .read_only import ReadOnlyAdmin


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    """In order of the keys. Searched by key alone, from its start on."""

    list_display = ["key", "state", "owner", "lease_until", "done_at", "expires_at"]
    list_filter = ["state"]
    search_fields = ["^key"]
    search_help_text = "The beginning of a key"
    ordering = ["key"]
