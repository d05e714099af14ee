"""The HTTP API of orders."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema, Status
from ninja.decorators import decorate_view
from ninja.pagination import paginate
from pydantic import AfterValidator, Field, StringConstraints

from apps.pagination import BoundedPages
from tasks.enqueue.outbox import enqueue
from tasks.execution.http import idempotency_key_required
from tasks.execution.http_key import IDEMPOTENCY_KEY

from .errors import AmountOutOfRange, UnknownProduct
from .models import Order, Product
from .pipelines import fulfilment
from .selectors import order_list, product_list
from .services.placing import order_place

router = Router()


def _email(value: str) -> str:
    try:
        validate_email(value)
    except ValidationError:
        raise ValueError("not an e-mail address") from None
    return value


Sku = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9-]{1,40}$")]
Email = Annotated[str, StringConstraints(max_length=254), AfterValidator(_email)]
OrderId = Annotated[int, Field(ge=1, le=2**63 - 1)]


class ProductOut(Schema):
    """A product of the catalogue."""

    sku: str
    name: str
    price_cents: int
    stock: int


class LineIn(Schema):
    """So many of one product."""

    sku: Sku
    quantity: int = Field(ge=1, le=1000)


class OrderIn(Schema):
    """What is ordered. The payment method is the provider's token, never a card number."""

    lines: list[LineIn] = Field(min_length=1, max_length=50)
    email: Email
    payment_method: Annotated[str, StringConstraints(pattern=r"^pm_[A-Za-z0-9_]{1,70}$")]


class LineOut(Schema):
    """A line as it was ordered."""

    sku: str = Field(alias="product.sku")
    quantity: int
    unit_price_cents: int


class StepOut(Schema):
    """One attempt at one step."""

    name: str
    outcome: str
    detail: str
    ended_at: datetime


class OrderOut(Schema):
    """An order and how far it has come."""

    id: int
    state: str
    total_cents: int
    currency: str
    cancel_reason: str
    placed_at: datetime
    lines: list[LineOut]


class OrderDetailOut(OrderOut):
    """An order with every attempt at each step, in the order in which they ended."""

    steps: list[StepOut]


class Problem(Schema):
    """Why a request was refused."""

    detail: str


@router.get("/products", response=list[ProductOut])
def products(request: HttpRequest) -> list[Product]:
    """The catalogue."""
    return list(product_list())


@router.post("", response={201: OrderOut, 400: Problem, 422: Problem}, openapi_extra=IDEMPOTENCY_KEY)
@decorate_view(idempotency_key_required)
def place(request: HttpRequest, payload: OrderIn) -> Status[Order] | Status[dict[str, str]]:
    """Place an order and start its fulfilment. The same request sent again, with its key, is the same order."""
    assert isinstance(request.user, User)  # noqa: S101 -- `django_auth` let them in
    quantities = {line.sku: line.quantity for line in payload.lines}
    if len(quantities) < len(payload.lines):
        return Status(422, {"detail": "a product is listed twice: put its quantities together in one line"})
    try:
        with transaction.atomic():
            order = order_place(
                customer=request.user,
                email=payload.email,
                quantities=quantities,
                payment_method=payload.payment_method,
            )
            enqueue(fulfilment(order.pk))
    except (UnknownProduct, AmountOutOfRange) as error:
        return Status(422, {"detail": str(error)})
    return Status(201, order)


@router.get("", response=list[OrderOut])
@paginate(BoundedPages, page_size=50)
def listing(request: HttpRequest) -> object:
    """The orders you may see, newest first."""
    return order_list(viewer=request.user)


@router.get("/{order_id}", response={200: OrderDetailOut, 404: Problem})
def one(request: HttpRequest, order_id: OrderId) -> Order:
    """One order."""
    return get_object_or_404(order_list(viewer=request.user), pk=order_id)
