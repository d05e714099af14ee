"""`Retry-After` is found wherever an error carries it, and read as RFC 9110 says."""

from __future__ import annotations

import pickle
import urllib.error
from datetime import UTC, datetime, timedelta
from email.message import Message
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import stripe
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from tasks import Transient
from tasks.failure.retry_after import asked_to_wait, retry_after_read

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("120", timedelta(minutes=2)),
        ("0", timedelta(0)),
        ("Thu, 01 Jan 2026 12:00:30 GMT", timedelta(seconds=30)),
        ("Thu, 01 Jan 2026 11:00:00 GMT", timedelta(0)),
        ("Thu, 01 Jan 2026 12:00:30 -0000", timedelta(seconds=30)),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("²", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, wait: timedelta | None) -> None:
    """RFC 9110 knows both; anything else asks for nothing."""
    assert retry_after_read(value, now=NOW) == wait


@given(st.text())
def test_no_retry_after_breaks_anything(value: str) -> None:
    """It comes from outside."""
    wait = retry_after_read(value, now=NOW)
    assert wait is None or wait >= timedelta(0)


def of_httpx() -> Exception:
    request = httpx.Request("GET", "https://example.com")
    response = httpx.Response(429, headers={"Retry-After": "30"}, request=request)
    return httpx.HTTPStatusError("429", request=request, response=response)


def of_requests() -> Any:
    error: Any = OSError("429")  # as requests.HTTPError: its headers are a mapping, whatever their case
    error.response = SimpleNamespace(headers={"retry-after": "30"})
    return error


def of_stripe() -> Exception:
    return stripe.RateLimitError("slow down", headers={"Retry-After": "30"})


def of_botocore() -> Any:
    metadata: Any = {"HTTPStatusCode": 503, "HTTPHeaders": {"retry-after": "30"}}
    return ClientError({"Error": {"Code": "SlowDown"}, "ResponseMetadata": metadata}, "PutObject")


def of_urllib() -> Exception:
    headers = Message()
    headers["Retry-After"] = "30"
    return urllib.error.HTTPError("https://example.com", 503, "busy", headers, None)


def raised_from_it() -> Exception:
    error = Transient("the supplier is busy")
    error.__cause__ = of_httpx()
    return error


@pytest.mark.parametrize(
    "error",
    [of_httpx(), of_requests(), of_stripe(), of_botocore(), of_urllib(), raised_from_it(),
     Transient("busy", retry_after=30 * SECOND)],
)  # fmt: skip
def test_it_is_found_wherever_an_error_carries_it(error: Exception) -> None:
    """An author who wraps a library's error in a Transient needn't copy the header."""
    assert asked_to_wait(error, now=NOW) == 30 * SECOND


def test_what_is_said_nearer_wins() -> None:
    """An error that says so itself knows better than what it came of."""
    error = Transient("busy", retry_after=SECOND)
    error.__cause__ = of_httpx()

    assert asked_to_wait(error, now=NOW) == SECOND


@pytest.mark.parametrize("error", [ValueError("x"), Transient("x"), httpx.ConnectError("x"), stripe.APIError("x")])
def test_nothing_said_is_none(error: Exception) -> None:
    """The policy decides alone then."""
    assert asked_to_wait(error, now=NOW) is None


def test_a_date_is_measured_by_the_clock_of_whoever_sent_it() -> None:
    """Our clock may be an hour off; the answer's own Date isn't, from the answer's point of view."""
    headers = {"Date": "Thu, 01 Jan 2026 10:00:00 GMT", "Retry-After": "Thu, 01 Jan 2026 10:00:20 GMT"}
    error = stripe.APIError("busy", headers=headers)

    assert asked_to_wait(error, now=NOW) == 20 * SECOND


def test_a_ring_of_causes_ends() -> None:
    """Python lets errors be each other's context."""
    first, second = ValueError("1"), ValueError("2")
    first.__cause__, second.__cause__ = second, first

    assert asked_to_wait(first, now=NOW) is None


@pytest.mark.parametrize("value", [True, float("nan"), float("inf"), "30", object()])
def test_nonsense_asks_for_nothing(value: object) -> None:
    """An attribute of that name may mean anything."""
    error: Any = ValueError("x")
    error.retry_after = value

    assert asked_to_wait(error, now=NOW) is None


def test_it_survives_pickling() -> None:
    """A worker's pool carries errors from one process to another."""
    again = pickle.loads(pickle.dumps(Transient("busy", 7, retry_after=SECOND)))  # noqa: S301

    assert (again.args, again.retry_after) == (("busy", 7), SECOND)
