"""The plain page's order form: one quantity a product, and a key by which a form sent twice is one order."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django import forms

from .selectors import product_list

CARDS = [
    ("pm_card_visa", "Visa"),
    ("pm_card_visa_chargeDeclined", "A card that is declined"),
]


class OrderForm(forms.Form):
    """An e-mail address, a card of the payment sandbox, and a quantity for each product."""

    email = forms.EmailField(label="E-mail")
    payment_method = forms.ChoiceField(label="Card", choices=CARDS)
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.products = list(product_list())
        for product in self.products:
            self.fields[f"quantity-{product.sku}"] = forms.IntegerField(
                label=product.name, min_value=0, max_value=1000, required=False
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        quantities = {
            product.sku: cleaned[name] for product in self.products if cleaned.get(name := f"quantity-{product.sku}")
        }
        if not quantities and not self.errors:
            raise forms.ValidationError("Order at least one of something.")
        cleaned["quantities"] = quantities
        return cleaned

    def renew_key(self) -> None:
        """Let the form, as it is shown again, stand for another order."""
        self.data = {**self.data, "key": str(uuid4())}

    def product_rows(self) -> list[tuple[Any, forms.BoundField]]:
        """Each product with its quantity field, for the page."""
        return [(product, self[f"quantity-{product.sku}"]) for product in self.products]
