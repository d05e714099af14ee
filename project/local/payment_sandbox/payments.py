"""Payment intents: charged as they are made, read, and listed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

from .books import Books, Object, Outcome
from .cards import CARDS, LEAST_CENTS, MOST_CENTS, Decline
from .errors import error_object, invalid_request, no_such
from .form import Form
from .parameters import boolean, integer, mapping, metadata, refuse_unknown, text

KNOWN: Final = (
    "allowed_payment_method_types",
    "amount",
    "confirm",
    "currency",
    "error_on_requires_action",
    "metadata",
    "payment_method",
)
BOUNDS: Final = ("gt", "gte", "lt", "lte")


@dataclass(frozen=True)
class NewPayment:
    """The parameters of POST /v1/payment_intents. Amounts are in cents."""

    amount: int
    currency: str
    payment_method: str
    metadata: dict[str, str]

    @classmethod
    def read(cls, form: Form) -> NewPayment:
        """Check the parameters. Raises ApiError for what can't be a charge by card."""
        refuse_unknown(form, KNOWN)
        currency = text(form, "currency").lower()
        if currency not in LEAST_CENTS:
            raise invalid_request(f"Invalid currency: {currency}", param="currency")
        amount = integer(form, "amount")
        least = LEAST_CENTS[currency]
        if amount < least:
            sentence = f"Amount must be at least {least / 100:.2f} {currency}"
            raise invalid_request(sentence, code="amount_too_small", param="amount")
        if amount > MOST_CENTS:
            sentence = f"Amount must be no more than {MOST_CENTS / 100:,.2f} {currency}"
            raise invalid_request(sentence, code="amount_too_large", param="amount")
        if not boolean(form, "confirm"):
            raise invalid_request("The payment sandbox charges at once: confirm must be true.", param="confirm")
        boolean(form, "error_on_requires_action")
        if set(mapping(form, "allowed_payment_method_types").values()) - {"card"}:
            raise invalid_request("The payment sandbox takes cards only.", param="allowed_payment_method_types")
        return cls(amount, currency, text(form, "payment_method"), metadata(form))

    def carry_out(self, books: Books) -> Outcome:
        """Charge the card, or be declined. Raises ApiError for a card that isn't known."""
        if self.payment_method not in CARDS:
            raise no_such("PaymentMethod", self.payment_method, param="payment_method")
        decline = CARDS[self.payment_method]
        payment = self._payment(created=int(books.clock()), decline=decline)
        if decline is None:
            return Outcome(200, payment, (payment,))
        error = {**payment["last_payment_error"], "payment_intent": payment}
        return Outcome(402, {"error": error}, (payment,))

    def _payment(self, *, created: int, decline: Decline | None) -> Object:
        charge = new_id("ch")
        return {
            "id": new_id("pi"),
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": 0,
            "amount_received": 0 if decline else self.amount,
            "canceled_at": None,
            "capture_method": "automatic",
            "created": created,
            "currency": self.currency,
            "last_payment_error": _declined(decline, charge) if decline else None,
            "latest_charge": charge,
            "livemode": False,
            "metadata": self.metadata,
            "next_action": None,
            "payment_method": None if decline else self.payment_method,
            "payment_method_types": ["card"],
            "status": "requires_payment_method" if decline else "succeeded",
        }


def payment_read(books: Books, payment_id: str) -> Object:
    """The payment intent of that id. Raises ApiError, 404, if there is none."""
    payment = books.payment(payment_id)
    if payment is None:
        raise no_such("payment_intent", payment_id, param="intent", status=404)
    return payment


def payment_list(books: Books, form: Form) -> dict[str, Any]:
    """One page of payment intents, newest first, as the parameters of GET /v1/payment_intents ask for it."""
    refuse_unknown(form, ("created", "limit", "starting_after"))
    limit = integer(form, "limit", default=10)
    if not 1 <= limit <= 100:
        raise invalid_request("Limit must be between 1 and 100.", param="limit")
    payments = books.payments_newest_first()
    if "starting_after" in form:
        last_id = text(form, "starting_after")
        ids = [payment["id"] for payment in payments]
        if last_id not in ids:
            raise no_such("payment_intent", last_id, param="starting_after")
        payments = payments[ids.index(last_id) + 1 :]
    bounds = _bounds(form)
    matching = [payment for payment in payments if _within(payment["created"], bounds)]
    return {
        "object": "list",
        "url": "/v1/payment_intents",
        "has_more": len(matching) > limit,
        "data": matching[:limit],
    }


def new_id(prefix: str) -> str:
    """An id as Stripe makes them: what it is of, and something random."""
    return f"{prefix}_{secrets.token_hex(12)}"


def _declined(decline: Decline, charge: str) -> dict[str, Any]:
    return error_object("card_error", decline.message, code="card_declined", decline_code=decline.code, charge=charge)


def _bounds(form: Form) -> dict[str, int]:
    """`created`, which is a time in seconds since 1970 or an object of bounds."""
    created = form.get("created", {})
    if isinstance(created, str):
        exactly = integer(form, "created")
        return {"gte": exactly, "lte": exactly}
    refuse_unknown(created, BOUNDS)
    return {name: integer(created, name) for name in created}


def _within(created: int, bounds: dict[str, int]) -> bool:
    return (
        created > bounds.get("gt", -1)
        and created >= bounds.get("gte", created)
        and created < bounds.get("lt", created + 1)
        and created <= bounds.get("lte", created)
    )
