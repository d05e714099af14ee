"""Asking a real server, which doesn't always behave."""

from __future__ import annotations

import socket
import time
from datetime import timedelta
from traceback import format_exception
from types import SimpleNamespace

import pytest

from apps import timed_network
from apps.integrations.client import Fetched, SupplierClient
from apps.integrations.errors import AddressUnusable, FeedMalformed, SupplierAway, SupplierBusy, SupplierRefused
from config.limits import SUPPLIER_MOST_WAIT
from project.local.ports import HOST, FreePorts
from tests.servers.supplier_sandbox import SupplierSandbox
from tests.servers.web import body, endless, redirect, web_server

PATH = "/offers?limit=200"
QUICK = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def fetch(
    url: str, *, cursor: str = "", known_etag: str = "", max_time: timedelta = timedelta(seconds=10)
) -> Fetched | None:
    with SupplierClient(url, max_time=max_time) as client:
        return client.page_fetch(cursor=cursor, known_etag=known_etag)


def test_pages_follow_their_cursors_and_the_feed_has_an_etag(supplier: SupplierSandbox) -> None:
    """What comes with a page is all that the next request needs."""
    first = fetch(supplier.url)
    assert first is not None
    assert first.etag == '"v1"'
    assert len(first.page.offers) == 200
    second = fetch(supplier.url, cursor=first.page.next_cursor or "")
    assert second is not None
    assert not {offer.sku for offer in first.page.offers} & {offer.sku for offer in second.page.offers}


def test_a_feed_that_is_known_is_not_sent_again(supplier: SupplierSandbox) -> None:
    """Every five minutes, mostly nothing has changed."""
    assert fetch(supplier.url, known_etag='"v1"') is None
    supplier.version(2)
    assert fetch(supplier.url, known_etag='"v1"') is not None


@pytest.mark.parametrize(
    ("fault", "problem"), [("malformed", "EOF while parsing"), ("huge", "longer than 1048576 bytes")]
)
def test_an_answer_that_is_no_page_is_refused(supplier: SupplierSandbox, fault: str, problem: str) -> None:
    """It breaks off, or it is larger than any page; eight megabytes of blanks are not held in memory."""
    supplier.fault(fault)
    with pytest.raises(FeedMalformed, match=problem):
        fetch(supplier.url)


@pytest.mark.parametrize("how", [{"status": 500}, {"status": 503}, {"status": 429}, {"status": 408}])
def test_errors_of_the_suppliers_own_are_transient(supplier: SupplierSandbox, how: dict[str, int]) -> None:
    """They will be over."""
    supplier.fault("status", **how)
    with pytest.raises(SupplierAway, match=str(how["status"])):
        fetch(supplier.url)


def test_a_connection_that_is_cut_or_refused_is_transient(supplier: SupplierSandbox) -> None:
    """It may work in a moment."""
    supplier.fault("cut")
    with pytest.raises(SupplierAway):
        fetch(supplier.url)
    with pytest.raises(SupplierAway):
        fetch(f"http://{HOST}:{FreePorts().pick('nobody')}")


def test_a_supplier_that_asks_to_wait_is_not_asked_again_at_once(supplier: SupplierSandbox) -> None:
    """Retry-After is honoured, up to a bound: ten years of silence is not what anybody means."""
    supplier.fault("status", status=429, retry_after=30)
    with pytest.raises(SupplierBusy, match="429 and asks to wait 30 s"):
        fetch(supplier.url)
    supplier.fault("status", status=503, retry_after=10**8)
    with pytest.raises(SupplierBusy) as caught:
        fetch(supplier.url)
    assert caught.value.wait == SUPPLIER_MOST_WAIT


def test_a_request_that_the_supplier_will_not_have_is_permanent(supplier: SupplierSandbox) -> None:
    """Trying again can't help; the address may be wrong."""
    with pytest.raises(SupplierRefused, match=r"404 .*/wrong/offers: check SUPPLIER_API_URL"):
        fetch(f"{supplier.url}/wrong")


def test_what_goes_wrong_never_tells_the_password_in_the_suppliers_address() -> None:
    """The error is noted with the run and logged, where more people read than may ask the supplier."""
    secret = "hunter2"
    with web_server() as server:
        url = server.url().replace("http://", f"http://shop:{secret}@")
        for where in (url, f"{url}?key={secret}", url.replace(secret, f"{secret}/more"), f"shop:{secret}@supplier"):
            with pytest.raises((SupplierRefused, AddressUnusable)) as caught:
                fetch(where)
            assert secret not in "".join(format_exception(caught.value)), where
        assert b"authorization: basic " in server.requests[0].lower()


def test_a_redirect_is_not_followed() -> None:
    """The supplier's address is a setting; nobody else says where we ask."""
    with web_server() as server:
        server.answers = {PATH: redirect(server.url("/elsewhere"))}
        with pytest.raises(SupplierRefused, match="302"):
            fetch(server.url())
        assert server.asked == [PATH]


def test_a_silent_supplier_is_not_waited_for_longer_than_said(supplier: SupplierSandbox) -> None:
    """No time-out means a worker that hangs for ever."""
    supplier.fault("slow", seconds=60)
    with pytest.raises(SupplierAway):
        fetch(supplier.url, max_time=QUICK)


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        pytest.param(None, b" ", id="body"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"X-Drop: 1\r\n", id="headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x", id="one header"),
    ],
)
def test_a_supplier_that_sends_drop_by_drop_is_not_waited_for_longer_than_said(head: bytes | None, drop: bytes) -> None:
    """Each drop resets a read's time-out, so the whole answer has one, too, from its first byte on."""
    with web_server() as server:
        server.answers = {PATH: endless(server, chunk=drop, pause=0.05, head=head)}
        started = time.monotonic()
        with pytest.raises(SupplierAway, match=r"longer than 0\.5 s"):
            fetch(server.url(), max_time=timedelta(seconds=0.5))
        assert time.monotonic() - started < 30


def test_each_page_has_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A feed of many pages takes as long as it takes, with one client."""
    page = b'{"offers": [], "next_cursor": null}'
    passed = [0.0]
    monkeypatch.setattr(timed_network, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + passed[0]))

    def half_a_minute_later(connection: socket.socket) -> None:
        passed[0] += MINUTE.total_seconds() / 2
        body(page)(connection)

    with web_server() as server:
        server.answers = {PATH: half_a_minute_later}
        with SupplierClient(server.url(), max_time=MINUTE) as client:
            for _ in range(3):
                assert client.page_fetch(cursor="", known_etag="") is not None


def test_a_packed_answer_is_not_unpacked() -> None:
    """A kilobyte may unpack to a gigabyte; we ask for plain bytes, and count what comes."""
    with web_server() as server:
        server.answers = {PATH: body(b"\x1f\x8b" + b"\0" * 100, headers="Content-Encoding: gzip\r\n")}
        with pytest.raises(FeedMalformed):
            fetch(server.url())
        assert b"accept-encoding: identity" in server.requests[0].lower()


@pytest.mark.parametrize("url", ["ftp://supplier", "supplier.example.com", "http://[::1", "http://xn--a"])
def test_what_is_no_address_is_permanent_and_names_the_setting(url: str) -> None:
    """Somebody has to correct it."""
    with pytest.raises(AddressUnusable, match="SUPPLIER_API_URL"):
        fetch(url)
