"""When an upstream asks to be left alone for a while: `Retry-After`, found wherever an error carries it. Pure.

Looked at, in this order, for the error itself and then for what it was raised from:

- `retry_after`: a timedelta, as `Transient(..., retry_after=...)` has it, or a number of seconds.
- the headers of an HTTP answer: `error.response.headers` (httpx, requests), `error.headers` (Stripe, urllib), or
  botocore's `error.response["ResponseMetadata"]["HTTPHeaders"]`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any, Final

_DEEPEST: Final = 10
_MOST_SECONDS: Final = 10**9


def asked_to_wait(error: BaseException, *, now: datetime) -> timedelta | None:
    """How long whoever answered asks to wait, or None. Unbounded: a policy says how much of it is heeded."""
    for found in _chain(error):
        wait = _told(getattr(found, "retry_after", None))
        if wait is None:
            wait = _headers_ask(found, now=now)
        if wait is not None:
            return wait
    return None


def retry_after_read(value: str, *, now: datetime) -> timedelta | None:
    """How long a Retry-After header asks to wait (RFC 9110 §10.2.3: seconds or a date); None for anything else."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:10]), _MOST_SECONDS))
    until = _date(value)
    return None if until is None else max(timedelta(0), until - now)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what it came of as a traceback would show it. Bounded: a chain may be a ring."""
    for _ in range(_DEEPEST):
        if error is None:
            return
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _told(value: object) -> timedelta | None:
    if isinstance(value, timedelta):
        return max(timedelta(0), value)
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        return timedelta(seconds=max(0, min(value, _MOST_SECONDS)))
    return None


def _headers_ask(error: BaseException, *, now: datetime) -> timedelta | None:
    response = getattr(error, "response", None)
    headers: Any = getattr(response, "headers", None)
    if headers is None and isinstance(response, Mapping):
        metadata = response.get("ResponseMetadata")
        headers = metadata.get("HTTPHeaders") if isinstance(metadata, Mapping) else None
    if headers is None:
        headers = getattr(error, "headers", None)
    items = getattr(headers, "items", None)
    if not callable(items):
        return None
    found = {str(name).lower(): str(value) for name, value in items()}
    if "retry-after" not in found:
        return None
    # A date is by the clock of whoever sent it, which may be another than ours.
    return retry_after_read(found["retry-after"], now=_date(found.get("date", "")) or now)


def _date(value: str) -> datetime | None:
    try:
        read = parsedate_to_datetime(value)
    except ValueError:
        return None
    return read.replace(tzinfo=read.tzinfo or UTC)
