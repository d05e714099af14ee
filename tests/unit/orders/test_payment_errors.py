"""Payment errors as they travel: through pickle to the worker's main process, and as one line on the order's page."""

from __future__ import annotations

import pickle

import pytest

from apps.orders.payment_errors import CardDeclined, PaymentIncomplete, PaymentRefused, PaymentUnavailable
from tasks.errors import Permanent, Transient

ERRORS = [
    (
        PaymentUnavailable("charge order-7", "HTTP 503", "req_1"),
        "charge order-7: the payment provider gave no answer (HTTP 503), its request req_1",
    ),
    (
        PaymentUnavailable("charge order-7", "ReadTimeout"),
        "charge order-7: the payment provider gave no answer (ReadTimeout)",
    ),
    (
        CardDeclined("card_declined", "insufficient_funds", "Your card has insufficient funds."),
        "Your card has insufficient funds. (insufficient_funds)",
    ),
    (
        CardDeclined("authentication_required", "", "Authenticate."),
        "Authenticate. (authentication_required)",
    ),
    (
        PaymentRefused("charge order-7", 400, "invalid_request_error", "No.", "req_1"),
        "charge order-7: the payment provider refuses it (400 invalid_request_error): No., its request req_1",
    ),
    (
        PaymentIncomplete("charge order-7", "pi_1", "processing"),
        "charge order-7: pi_1 is processing at the payment provider, look at it there",
    ),
]


@pytest.mark.parametrize(("error", "sentence"), ERRORS)
def test_an_error_survives_pickle_with_its_sentence(error: Exception, sentence: str) -> None:
    """An error that can't be pickled takes the worker's child down with it."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(copy), copy.args, vars(copy)) == (type(error), error.args, vars(error))
    assert str(copy) == str(error) == sentence


def test_only_an_answer_that_is_missing_is_worth_another_try() -> None:
    """What the provider has decided is not asked again."""
    assert issubclass(PaymentUnavailable, Transient)
    for decided in (CardDeclined, PaymentRefused, PaymentIncomplete):
        assert issubclass(decided, Permanent)
