"""The payment provider: charging an order, giving its money back, and asking what became of a charge.

Every call that changes something carries an idempotency key, so it may be repeated with the same arguments until an
answer arrives; the provider keeps a key's answer for 24 hours. Repeating is the task's part: nothing is retried here.

Each call raises `PaymentUnavailable` (transient) when the provider doesn't answer in time, can't be reached, is asked
too often, is still busy with the same key, or fails; and, permanent, `CardDeclined`, `PaymentRefused` or
`PaymentIncomplete`. No error holds the API key or a whole answer.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import stripe
from django.conf import settings

from .payment_errors import CardDeclined, PaymentIncomplete, PaymentRefused, PaymentUnavailable

CONNECT_TIMEOUT: Final = timedelta(seconds=3)
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
PAGE_SIZE: Final = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """Money that was taken: `id` is the provider's payment intent, the amount is in cents."""

    id: str
    order_id: int
    amount_cents: int
    currency: str


def payment_charge(
    *, order_id: int, amount_cents: int, currency: str, payment_method: str, idempotency_key: str
) -> Charge:
    """Take *amount_cents* from the customer's card, once a key."""
    with _translated(f"charge {idempotency_key}") as call:
        intent = _client().v1.payment_intents.create(
            params={
                "amount": amount_cents,
                "currency": currency,
                "payment_method": payment_method,
                "allowed_payment_method_types": ["card"],
                "confirm": True,
                "error_on_requires_action": True,  # nobody is there to be asked for a second factor
                "metadata": {"order_id": str(order_id)},
            },
            options={"idempotency_key": idempotency_key},
        )
    if intent.status != "succeeded":
        raise PaymentIncomplete(call, intent.id, intent.status)
    return _charge(intent, order_id)


def payment_refund(*, charge_id: str, idempotency_key: str) -> str:
    """Give back all of a charge, once; return the refund's id.

    When the provider has forgotten the key it says that the charge is refunded already: that refund is ours as well.
    """
    with _translated(f"refund {idempotency_key}") as call:
        try:
            refund = _client().v1.refunds.create(
                params={"payment_intent": charge_id}, options={"idempotency_key": idempotency_key}
            )
        except stripe.InvalidRequestError as error:
            if error.code != "charge_already_refunded":
                raise
            refund = _client().v1.refunds.list(params={"payment_intent": charge_id, "limit": 1}).data[0]
    if refund.status not in ("succeeded", "pending"):
        raise PaymentIncomplete(call, refund.id, str(refund.status))
    return refund.id


def payment_find(*, order_id: int, started_at: datetime) -> Charge | None:
    """The charge of an order whose first attempt began at *started_at*, or None if there is none.

    Reads the provider's list, which, unlike its search, is never behind. None is not yet the last word while an
    attempt is under way: ask `payment_attempted` too.
    """
    intents = _intents_of(order_id, started_at)
    return next((_charge(intent, order_id) for intent in intents if intent.status == "succeeded"), None)


def payment_attempted(*, order_id: int, started_at: datetime) -> bool:
    """Whether the provider has carried out an attempt to charge the order, with or without success."""
    return any(intent.status != "processing" for intent in _intents_of(order_id, started_at))


def _intents_of(order_id: int, started_at: datetime) -> list[stripe.PaymentIntent]:
    """What the provider made of the attempts to charge an order, newest first."""
    earliest_at = started_at - CLOCK_TOLERANCE
    with _translated(f"find the charge of order {order_id}"):
        page = _client().v1.payment_intents.list(
            params={"created": {"gte": int(earliest_at.timestamp())}, "limit": PAGE_SIZE}
        )
        return [
            intent for intent in page.auto_paging_iter() if intent.metadata.to_dict().get("order_id") == str(order_id)
        ]


def _charge(intent: stripe.PaymentIntent, order_id: int) -> Charge:
    return Charge(id=intent.id, order_id=order_id, amount_cents=intent.amount, currency=intent.currency)


def _client() -> stripe.StripeClient:
    return _client_of(os.getpid(), settings.STRIPE_API_BASE, settings.STRIPE_API_KEY, settings.STRIPE_TIMEOUT)


@functools.lru_cache(maxsize=1)
def _client_of(_pid: int, api_base: str, api_key: str, timeout: timedelta) -> stripe.StripeClient:
    """One client a process: its connections must not be shared with a forked child. Threads get their own from it."""
    stripe.enable_telemetry = False  # it writes a file into the home directory
    seconds = timeout.total_seconds()
    return stripe.StripeClient(
        api_key,
        base_addresses={"api": api_base.rstrip("/")},
        http_client=stripe.RequestsClient(timeout=(min(CONNECT_TIMEOUT.total_seconds(), seconds), seconds)),
        max_network_retries=0,
    )


@contextmanager
def _translated(call: str) -> Iterator[str]:
    """Errors of the SDK as ours. They are not chained: theirs hold the whole answer and its headers."""
    try:
        yield call
    except stripe.StripeError as error:
        raise _ours(call, error) from None


def _ours(call: str, error: stripe.StripeError) -> Exception:
    if isinstance(error, stripe.APIConnectionError):
        return PaymentUnavailable(call, type(error.__cause__).__name__)
    status = error.http_status or 0
    unreadable = 200 <= status < 300
    if isinstance(error, stripe.RateLimitError) or unreadable or status == 409 or status >= 500:
        return PaymentUnavailable(call, f"HTTP {status}", error.request_id)
    said = error.json_body.get("error", {}) if isinstance(error.json_body, dict) else {}
    message = str(said.get("message") or "no reason given")
    if isinstance(error, stripe.CardError):
        return CardDeclined(str(error.code), str(said.get("decline_code") or ""), message, error.request_id)
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        message = "check STRIPE_API_KEY"  # the provider's sentence repeats a part of it
    return PaymentRefused(call, status, str(said.get("type") or "unknown"), message, error.request_id)
