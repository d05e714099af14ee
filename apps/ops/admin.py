"""Which of beat's entries are declared in the file, in the admin: to look at."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from .models import DeclaredSchedule


@admin.register(DeclaredSchedule)
class DeclaredScheduleAdmin(admin.ModelAdmin[DeclaredSchedule]):
    """Read only: `manage.py sync_schedules` writes it. Entries are switched off and on under Periodic tasks."""

    list_display = ["name", "entry", "retired_at"]
    list_select_related = ["entry__crontab", "entry__interval"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: DeclaredSchedule | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: DeclaredSchedule | None = None) -> bool:
        return False
