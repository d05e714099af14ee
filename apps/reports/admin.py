"""Reports in the admin: to look at; they are asked for on their own page."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from .models import SalesReport


@admin.register(SalesReport)
class SalesReportAdmin(admin.ModelAdmin[SalesReport]):
    """Reports, read only. Old ones are deleted with their files by a job."""

    list_display = ["day", "state", "progress", "orders", "total_cents", "requested_by", "ready_at", "error"]
    list_filter = ["state"]
    list_select_related = ["requested_by"]
    date_hierarchy = "day"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: SalesReport | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: SalesReport | None = None) -> bool:
        return False
