"""Idempotency keys over time."""

from __future__ import annotations

import pytest

from project.local.payment_sandbox.errors import ApiError
from project.local.payment_sandbox.keys import KEY_LIFE, Answer, Keys, Use

USE = Use("/v1/payment_intents", "digest")
ANSWER = Answer(402, {"error": {}}, "req_1")
DAY = KEY_LIFE.total_seconds()


def answered_at(at: float) -> Keys:
    keys = Keys()
    assert keys.claim("order-7", USE, at=at) is None
    keys.keep("order-7", USE, ANSWER, at=at)
    keys.release("order-7")
    return keys


def test_an_answer_is_kept_for_24_hours() -> None:
    """Stripe removes keys after that; whoever asks later is charged anew, and must know."""
    assert answered_at(1000).claim("order-7", USE, at=1000 + DAY - 1) == ANSWER
    assert answered_at(1000).claim("order-7", USE, at=1000 + DAY) is None


def test_a_key_that_is_claimed_is_refused_until_it_is_released() -> None:
    """Without an answer the key is free again afterwards: the request was never carried out."""
    keys = Keys()
    assert keys.claim("order-7", USE, at=0) is None
    with pytest.raises(ApiError) as caught:
        keys.claim("order-7", USE, at=0)
    assert (caught.value.status, caught.value.error["code"]) == (409, "idempotency_key_in_use")
    assert keys.claim("order-8", USE, at=0) is None
    keys.release("order-7")
    assert keys.claim("order-7", USE, at=0) is None


@pytest.mark.parametrize("other", [Use("/v1/refunds", "digest"), Use("/v1/payment_intents", "other")])
def test_a_key_is_for_one_request(other: Use) -> None:
    """Neither another endpoint nor other parameters get an answer that was not theirs."""
    with pytest.raises(ApiError) as caught:
        answered_at(0).claim("order-7", other, at=1)
    assert (caught.value.status, caught.value.error["type"]) == (400, "idempotency_error")
