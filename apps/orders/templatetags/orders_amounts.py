"""Amounts for people."""

from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def amount(cents: int) -> str:
    """Cents as euros: 123456 → '1,234.56 €'."""
    return f"{cents / 100:,.2f} €"
