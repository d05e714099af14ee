"""Fixtures of the reports' tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from apps.orders.models import Order, OrderLine, Product
from project.celery import app
from tests.servers.s3 import s3, shared_s3

__all__ = ["s3", "shared_s3"]

Sell = Callable[..., Order]


@pytest.fixture(autouse=True)
def project_app() -> None:
    """Importing pytest-celery makes an app without a broker the current one."""
    app.set_current()


@pytest.fixture
def files(tmp_path: Path, settings: Settings) -> Path:
    """The default storage is a directory of this test's own, as it is where no S3 is given."""
    location = tmp_path / "media"
    default = {**settings.STORAGES["default"], "OPTIONS": {"location": str(location)}}
    settings.STORAGES = {**settings.STORAGES, "default": default}
    return location


@pytest.fixture
def sell(db: None) -> Sell:
    """Writes a paid order of so many of one product, placed at that moment."""
    customer = User.objects.create_user("customer")
    products: dict[str, Product] = {}

    def write(
        placed_at: datetime,
        quantity: int = 1,
        *,
        name: str = "Apple",
        price_cents: int = 1250,
        state: str = "fulfilled",
    ) -> Order:
        if name not in products:
            sku = f"ROOT-{len(products)}"
            products[name] = Product.objects.create(sku=sku, name=name, price_cents=price_cents, stock=1)
        total = quantity * price_cents
        order = Order.objects.create(customer=customer, email="a@example.com", state=state, total_cents=total)
        OrderLine.objects.create(order=order, product=products[name], quantity=quantity, unit_price_cents=price_cents)
        Order.objects.filter(pk=order.pk).update(placed_at=placed_at)
        return order

    return write
