"""Reading orders."""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import QuerySet

from .models import Order, Product


def product_list() -> QuerySet[Product]:
    """The catalogue, by SKU."""
    return Product.objects.all()


def order_list(*, viewer: AbstractBaseUser | AnonymousUser) -> QuerySet[Order]:
    """The orders that *viewer* may see, newest first: their own, or all with the permission to view orders."""
    orders = Order.objects.select_related("shipment").prefetch_related("lines__product")
    if isinstance(viewer, User) and viewer.has_perm("orders.view_order"):
        return orders
    return orders.filter(customer=viewer.pk) if viewer.pk else orders.none()
