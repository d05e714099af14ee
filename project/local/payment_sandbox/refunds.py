"""Refunds of whole payments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .books import Books, Object, Outcome
from .errors import invalid_request, no_such
from .form import Form
from .parameters import integer, metadata, refuse_unknown, text
from .payments import new_id


@dataclass(frozen=True)
class NewRefund:
    """The parameters of POST /v1/refunds."""

    payment_intent: str
    metadata: dict[str, str]

    @classmethod
    def read(cls, form: Form) -> NewRefund:
        """Check the parameters. Raises ApiError for what can't be a refund."""
        refuse_unknown(form, ("metadata", "payment_intent"))
        return cls(text(form, "payment_intent"), metadata(form))

    def carry_out(self, books: Books) -> Outcome:
        """Give the whole amount back. Raises ApiError if there is nothing to give back, or no more."""
        payment = books.payment(self.payment_intent)
        if payment is None:
            raise no_such("payment_intent", self.payment_intent, param="payment_intent")
        if payment["status"] != "succeeded":
            raise invalid_request(
                f"This PaymentIntent ({payment['id']}) does not have a successful charge to refund.",
                param="payment_intent",
            )
        if books.refund_of(payment["id"]) is not None:
            raise invalid_request(
                f"Charge {payment['latest_charge']} has already been refunded.", code="charge_already_refunded"
            )
        refund = self._refund(payment, created=int(books.clock()))
        return Outcome(200, refund, (refund,))

    def _refund(self, payment: Object, *, created: int) -> Object:
        return {
            "id": new_id("re"),
            "object": "refund",
            "amount": payment["amount"],
            "charge": payment["latest_charge"],
            "created": created,
            "currency": payment["currency"],
            "metadata": self.metadata,
            "payment_intent": payment["id"],
            "reason": None,
            "status": "succeeded",
        }


def refund_read(books: Books, refund_id: str) -> Object:
    """The refund of that id. Raises ApiError, 404, if there is none."""
    refund = books.refund(refund_id)
    if refund is None:
        raise no_such("refund", refund_id, param="id", status=404)
    return refund


def refund_list(books: Books, form: Form) -> dict[str, Any]:
    """A payment's refunds, of which there is one at most, as the parameters of GET /v1/refunds ask for them."""
    refuse_unknown(form, ("limit", "payment_intent"))
    integer(form, "limit", default=10)
    refund = books.refund_of(text(form, "payment_intent"))
    return {"object": "list", "url": "/v1/refunds", "has_more": False, "data": [refund] if refund else []}
