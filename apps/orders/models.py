"""Catalogue, orders and what happened to each.

An order's states, who moves it, and what a crash leaves behind:

    placed ──▶ reserved ──▶ paid ──▶ shipped ──▶ fulfilled
       │           │          │
       └───────────┴──────────┴──▶ cancelled   (a step died: stock back, a charge refunded)
       ▲           ▲          ▲        │
       └───────────┴──────────┴────────┘       (its dead letter is redriven, and nothing was refunded)

    placed → reserved   reserve_stock        paid → shipped        request_shipment
    reserved → paid     charge_payment       shipped → fulfilled   send_confirmation

Each arrow is one transaction under the order's row lock, so a crash leaves the state before it or the state after
it, and a step that runs twice finds its work done. Once shipped, an order is no longer cancelled by a failing step.
"""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q


class Product(models.Model):
    """Something for sale. `stock` counts what is neither sold nor reserved."""

    sku = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    price_cents = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    stock = models.PositiveIntegerField()

    class Meta:
        ordering = ["sku"]

    def __str__(self) -> str:
        return self.name


class Order(models.Model):
    """One customer's order. Amounts are in cents of `currency`."""

    class State(models.TextChoices):
        PLACED = "placed"
        RESERVED = "reserved"
        PAID = "paid"
        SHIPPED = "shipped"
        FULFILLED = "fulfilled"
        CANCELLED = "cancelled"

    customer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="orders")
    email = models.EmailField()
    state = models.CharField(max_length=10, choices=State, default=State.PLACED)
    currency = models.CharField(max_length=3, default="eur")
    total_cents = models.PositiveIntegerField()
    payment_method = models.CharField(max_length=80)
    # Set, and committed, before the provider is called: from then on there may be a charge that we don't know of.
    charge_started_at = models.DateTimeField(null=True, blank=True)
    charge_id = models.CharField(max_length=80, blank=True)
    # Set, and committed, before the provider is asked to refund: from then on the order stays cancelled.
    refund_started_at = models.DateTimeField(null=True, blank=True)
    refund_id = models.CharField(max_length=80, blank=True)
    cancel_reason = models.CharField(max_length=300, blank=True)
    placed_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["customer", "-id"], name="order_of_customer"),
            models.Index(fields=["placed_at"], name="order_placed_at"),
        ]

    def __str__(self) -> str:
        return f"order {self.pk}"

    @property
    def is_over(self) -> bool:
        """Whether no step will move it any more."""
        return self.state in (self.State.FULFILLED, self.State.CANCELLED)


class OrderLine(models.Model):
    """So many of one product, at the price when it was ordered."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    quantity = models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(1000)])
    unit_price_cents = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "product"], name="one_line_a_product"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="quantity_above_zero"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product}"


class Shipment(models.Model):
    """The request to the warehouse: one an order, whatever happens."""

    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="shipment")
    reference = models.CharField(max_length=40, unique=True)
    requested_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.reference


class OrderStep(models.Model):
    """One attempt at one step of an order, and how it ended."""

    class Outcome(models.TextChoices):
        DONE = "done"
        FAILED = "failed"

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="steps")
    name = models.CharField(max_length=20)
    outcome = models.CharField(max_length=6, choices=Outcome)
    detail = models.CharField(max_length=300, blank=True)
    ended_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.name} {self.outcome}"
