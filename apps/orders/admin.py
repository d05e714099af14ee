"""Orders in the admin: to look at; what happens to them is the pipeline's."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from .models import Order, OrderLine, OrderStep, Product
from .services.stock import stock_add

MOST_ADDED = 1_000_000


class ProductForm(forms.ModelForm[Product]):
    """A product; its stock by what is added to it, for orders change it while the form is open."""

    added = forms.IntegerField(
        required=False,
        min_value=-MOST_ADDED,
        max_value=MOST_ADDED,
        label="Add to stock",
        help_text="So many more, or with a minus so many fewer. What is sold meanwhile stays sold.",
    )

    def clean_added(self) -> int:
        """Checked against the stock as it is now; the row stays locked until it is saved."""
        added: int = self.cleaned_data["added"] or 0
        left = Product.objects.select_for_update().get(pk=self.instance.pk).stock
        if left + added < 0:
            raise forms.ValidationError(f"There are {left} left.")
        return added


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin[Product]):
    """The catalogue."""

    list_display = ["sku", "name", "price_cents", "stock"]
    search_fields = ["sku", "name"]

    def get_form(self, request: HttpRequest, obj: Product | None = None, change: bool = False, **kwargs: Any) -> Any:
        """A product's first stock is a number like any other."""
        return super().get_form(request, obj, change, **kwargs, **({"form": ProductForm} if obj else {}))

    def get_readonly_fields(self, request: HttpRequest, obj: Product | None = None) -> list[str]:
        """Nobody writes over what orders have changed."""
        return ["stock"] if obj else []

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:
        """Save what was changed, and nothing else."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        obj.save(update_fields=set(form.changed_data) - {"added"})
        if form.cleaned_data["added"]:
            stock_add(product_id=obj.pk, quantity=form.cleaned_data["added"])


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
