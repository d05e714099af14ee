"""Asking the supplier for one page: bounded in time and size, and clear about what may be tried again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

import httpcore
import httpx

from apps.timed_network import Deadline
from config.limits import (
    SUPPLIER_MOST_WAIT,
    SUPPLIER_PAGE_MAX_BYTES,
    SUPPLIER_PAGE_SIZE,
    SUPPLIER_REQUEST_MAX_TIME,
)
from tasks.failure.retry_after import retry_after_read

from .errors import AddressUnusable, FeedMalformed, SupplierAway, SupplierBusy, SupplierRefused
from .feed import Page, page_read
from .transport import TimedTransport


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page, and the ETag of the feed that it is from (empty where the supplier gives none)."""

    page: Page
    etag: str


class SupplierClient:
    """Speaks to the supplier at *url* for one run. Used as a context manager; `close` lets its connection go.

    Raises AddressUnusable.
    """

    def __init__(self, url: str, *, max_time: timedelta = SUPPLIER_REQUEST_MAX_TIME) -> None:
        self._deadline = Deadline(max_time)
        self._http = httpx.Client(
            base_url=_checked(url.rstrip("/") + "/"),
            transport=TimedTransport(self._deadline),
            timeout=None,  # noqa: S113 -- the transport has a deadline for all of it
            follow_redirects=False,
            trust_env=False,  # the environment is read in one place, and that isn't here
            # Uncompressed, so that the bytes that are counted are the bytes that are held.
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "rootstock"},
        )

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def page_fetch(self, *, cursor: str, known_etag: str) -> Fetched | None:
        """The page at *cursor* ("" for the first), or None when the feed is still the one with *known_etag*.

        Raises SupplierAway (transient), SupplierBusy, SupplierRefused or FeedMalformed.
        """
        query: dict[str, str | int] = {"limit": SUPPLIER_PAGE_SIZE}
        if cursor:
            query["cursor"] = cursor
        headers = {"If-None-Match": known_etag} if known_etag else {}
        self._deadline.begin()
        with self._failures_named(), self._http.stream("GET", "offers", params=query, headers=headers) as response:
            if response.status_code == httpx.codes.NOT_MODIFIED and known_etag:
                return None
            _check_status(response)
            return Fetched(page_read(self._body(response)), response.headers.get("ETag", "")[:200])

    def _body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > SUPPLIER_PAGE_MAX_BYTES:
                raise FeedMalformed(f"a page is longer than {SUPPLIER_PAGE_MAX_BYTES} bytes")
        return bytes(body)

    @contextmanager
    def _failures_named(self) -> Iterator[None]:
        try:
            yield
        except httpcore.TimeoutException as error:
            raise SupplierAway(f"a page took longer than {self._deadline.total.total_seconds():g} s") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpx.TransportError, OSError) as error:
            raise SupplierAway(str(error) or type(error).__name__) from error


def _checked(url: str) -> httpx.URL:
    """Raises AddressUnusable, which doesn't repeat what may be a password, whatever it was taken for."""
    try:
        found = httpx.URL(url)
        host = found.host  # decodes a name in Punycode, or finds that it is none
    except (httpx.InvalidURL, UnicodeError):
        raise AddressUnusable("it can't be read; a password in it must be percent-encoded") from None
    if found.scheme not in ("http", "https") or not host:
        raise AddressUnusable("it must begin with http:// or https:// and the name of a host")
    return found


def _check_status(response: httpx.Response) -> None:
    status = response.status_code
    if status == httpx.codes.OK:
        return
    if status in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE):
        wait = retry_after_read(response.headers.get("Retry-After", ""), now=datetime.now(UTC))
        if wait is not None:
            raise SupplierBusy(status, min(wait, SUPPLIER_MOST_WAIT))
    if status >= 500 or status in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.REQUEST_TIMEOUT):
        raise SupplierAway(f"it answered {status}")
    shown = response.request.url.copy_with(userinfo=b"", query=None)  # either may hold what only we may know
    raise SupplierRefused(status, str(shown))
