"""Offers and runs in the admin: to look at; the sync writes them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from .models import SupplierOffer, SyncRun


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """To look at only."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(SupplierOffer)
class SupplierOfferAdmin(ReadOnlyAdmin):
    """What the supplier offers."""

    list_display = ["sku", "name", "price_cents", "available", "seen_at"]
    search_fields = ["sku", "name"]


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin):
    """Each attempt to hear more."""

    list_display = ["id", "state", "started_at", "ended_at", "pages", "offers_seen", "offers_changed", "note"]
    list_filter = ["state"]
