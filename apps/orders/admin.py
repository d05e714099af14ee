"""Orders in the admin: to look at; what happens to them is the pipeline's."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from .models import Order, OrderLine, OrderStep, Product


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin[Product]):
    """The catalogue."""

    list_display = ["sku", "name", "price_cents", "stock"]
    search_fields = ["sku", "name"]


class _ReadOnlyInline(admin.TabularInline[OrderLine | OrderStep, Order]):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        return False


class OrderLineInline(_ReadOnlyInline):
    model = OrderLine


class OrderStepInline(_ReadOnlyInline):
    model = OrderStep
    readonly_fields = ["ended_at"]


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin[Order]):
    """Orders, read only."""

    list_display = ["id", "customer", "state", "total_cents", "placed_at", "cancel_reason"]
    list_filter = ["state"]
    list_select_related = ["customer"]
    search_fields = ["=id", "email", "charge_id"]
    date_hierarchy = "placed_at"
    inlines = [OrderLineInline, OrderStepInline]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Order | None = None) -> bool:
        return False
