"""Fetching by URL from real sockets: what is let through, and how every abuse ends."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.images.addresses import AddressPolicy
from apps.images.errors import FetchFailed, FetchRefused, FetchRejected, FetchTooLarge
from apps.images.fetching import FetchLimits, fetch
from apps.timed_network import Resolver, resolve
from tests.servers.certificates import Certificates
from tests.servers.web import WebServer, body, endless, late, redirect, web_server

LOOPBACK = AddressPolicy.allowing(["127.0.0.0/8"])
LIMITS = FetchLimits(max_bytes=100_000, max_time=timedelta(seconds=10))


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def resolver_of(*addresses: str) -> Resolver:
    """A name server that knows one answer."""
    return lambda _host, _port: list(addresses)


def fetch_here(url: str, *, limits: FetchLimits = LIMITS, resolver: Resolver = resolve) -> bytes:
    return fetch(url, limits=limits, policy=LOOPBACK, resolver=resolver)


def test_a_file_is_fetched_whole(server: WebServer) -> None:
    """The plain case, at exactly the largest size."""
    content = bytes(range(256)) * 390 + b"x" * 160
    server.answers["/a.png"] = body(content)
    assert fetch_here(server.url("/a.png")) == content
    assert len(content) == LIMITS.max_bytes


def test_the_request_carries_nothing_of_ours(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials and proxies of this machine's environment are not for strangers' servers."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    server.answers["/a"] = body(b"x", headers="Set-Cookie: a=b\r\n")
    assert fetch_here(server.url("/a")) == b"x"
    request = server.requests[0].lower()
    assert b"accept-encoding: identity\r\n" in request
    assert b"authorization" not in request
    assert b"cookie" not in request


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://127.1:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f000001:{port}/",
        "http://0x7f.1:{port}/",
        "http://0:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://[::ffff:7f00:1]:{port}/",
    ],
)
def test_loopback_is_refused_in_every_spelling(server: WebServer, url: str) -> None:
    """The address is judged after the system has read it, so a clever spelling gains nothing."""
    with pytest.raises(FetchRefused):
        fetch(url.format(port=server.port), limits=LIMITS, policy=AddressPolicy())
    assert server.asked == []


@pytest.mark.parametrize("octal", ["http://0177.0.0.1/", "http://0177.1/", "http://017700000001/"])
def test_an_octal_address_is_refused(octal: str) -> None:
    """Whether as an invalid URL or as the loopback address that it means."""
    with pytest.raises(FetchRefused):
        fetch(octal, limits=LIMITS, policy=AddressPolicy())


def test_a_name_with_one_address_inside_is_refused_whole(server: WebServer) -> None:
    """A name that leads both outside and inside is an attack or a mistake; neither is worth guessing about."""
    for addresses in (("127.0.0.1", "10.0.0.1"), ("10.0.0.1", "127.0.0.1"), ("127.0.0.1", "::1")):
        with pytest.raises(FetchRefused):
            fetch_here(server.url("/", host="pictures.example"), resolver=resolver_of(*addresses))
    assert server.asked == []


def test_the_address_connected_to_is_the_one_that_was_checked(server: WebServer) -> None:
    """A name that changes its answer between check and connection (DNS rebinding) is asked only once."""
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    server.answers["/a"] = body(b"x")
    assert fetch_here(server.url("/a", host="rebinding.example"), resolver=lambda *_: next(answers)) == b"x"
    assert b"Host: rebinding.example:%d\r\n" % server.port in server.requests[0]
    assert next(answers) == ["169.254.169.254"]


def test_the_next_address_is_tried_when_one_does_not_answer(server: WebServer) -> None:
    """A server with an address that is down is still up."""
    with socket.create_server(("127.0.0.2", server.port)):
        pass  # nobody listens there any more
    server.answers["/a"] = body(b"x")
    url = server.url("/a", host="two.example")
    assert fetch_here(url, resolver=resolver_of("127.0.0.2", "127.0.0.1")) == b"x"


def test_a_public_address_that_is_this_machine_is_refused(server: WebServer) -> None:
    """A service on a machine's own public address trusts the machine; the table of addresses can't know it."""

    class Trusting(AddressPolicy):
        def refusal(self, text: str) -> str | None:
            return None

    with pytest.raises(FetchRefused, match="an address of this machine"):
        fetch(server.url("/"), limits=LIMITS, policy=Trusting())
    assert server.asked == []


def test_redirects_are_followed_up_to_the_limit(server: WebServer) -> None:
    """Relative and absolute ones, five of them; the sixth is one too many."""
    server.answers["/0"] = redirect("/1", status="301 Moved Permanently")
    server.answers["/1"] = redirect("2", status="302 Found")
    server.answers["/2"] = redirect(server.url("/3"), status="303 See Other")
    server.answers["/3"] = redirect(f"//127.0.0.1:{server.port}/4", status="307 Temporary Redirect")
    server.answers["/4"] = redirect("?x", status="308 Permanent Redirect")
    server.answers["/4?x"] = body(b"there")
    assert fetch_here(server.url("/0")) == b"there"
    server.answers["/start"] = redirect("/0")
    with pytest.raises(FetchRefused, match="redirects more than 5 times"):
        fetch_here(server.url("/start"))


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://10.0.0.1/",
        "http://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1:70/_x",
        "http://user:secret@127.0.0.1/",
        "http://127.0.0.1:22/",
        "http://127.0.0.1:99999/",
        "http://a..b/",
        "http://xn--a/",
    ],
)
def test_a_redirect_is_checked_like_the_first_url(server: WebServer, location: str) -> None:
    """Every hop is: an open redirect somewhere is easily found."""
    server.answers["/"] = redirect(location)
    with pytest.raises(FetchRefused):
        fetch_here(server.url("/"))


def test_a_body_past_the_limit_is_cut_off_whatever_its_length_claims(server: WebServer) -> None:
    """Endless, chunked, or with a Content-Length that lies: bytes are counted as they come."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server.answers["/endless"] = endless(server, chunk=b"x" * 10_000)
    server.answers["/chunked"] = endless(server, chunk=b"a\r\n0123456789\r\n" * 1000, head=chunked)
    server.answers["/long"] = body(b"x" * 100_001)
    for path in ("/endless", "/chunked", "/long"):
        with pytest.raises(FetchTooLarge, match="the most"):
            fetch_here(server.url(path))


def test_compressed_bytes_are_never_unpacked(server: WebServer) -> None:
    """A gzip bomb stays packed: whoever sends compressed bytes, though asked not to, is refused."""
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(bomb) < LIMITS.max_bytes
    server.answers["/"] = body(bomb, headers="Content-Encoding: gzip\r\n")
    with pytest.raises(FetchRejected, match="compressed"):
        fetch_here(server.url("/"))


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n", id="body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Long: ", id="headers"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_slow_drip_ends_at_the_deadline(server: WebServer, head: bytes) -> None:
    """Each byte comes in time, the whole does not: the limit is on the whole."""
    server.answers["/"] = endless(server, chunk=b"x", pause=0.02, head=head)
    limits = FetchLimits(max_bytes=100_000, max_time=timedelta(milliseconds=400))
    started = time.monotonic()
    with pytest.raises(FetchFailed, match=r"no complete answer within 0\.4 s"):
        fetch_here(server.url("/"), limits=limits)
    assert 0.3 < time.monotonic() - started < 30


def test_redirects_share_one_deadline(server: WebServer) -> None:
    """Six slow hops must not take six times as long."""
    for hop in range(5):
        server.answers[f"/{hop}"] = late(server, redirect(f"/{hop + 1}"), seconds=0.2)
    server.answers["/5"] = body(b"late")
    limits = FetchLimits(max_bytes=100_000, max_time=timedelta(milliseconds=500))
    with pytest.raises(FetchFailed):
        fetch_here(server.url("/0"), limits=limits)


def test_a_name_server_that_hangs_ends_at_the_deadline(server: WebServer) -> None:
    """The system's resolver takes no time-out of its own."""

    def hang(_host: str, _port: int) -> list[str]:
        server.closing.wait(30)
        return []

    limits = FetchLimits(max_bytes=100_000, max_time=timedelta(milliseconds=300))
    with pytest.raises(FetchFailed, match="no complete answer"):
        fetch_here(server.url("/", host="hanging.example"), limits=limits, resolver=hang)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 204, 206, 304, 300])
def test_an_answer_that_will_not_change_is_final(server: WebServer, status: int) -> None:
    """Asking again for what is not there only delays the bad news."""
    server.answers["/"] = body(b"", status=f"{status} X")
    with pytest.raises(FetchRejected, match=str(status)):
        fetch_here(server.url("/"))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_server_in_trouble_may_be_asked_again(server: WebServer, status: int) -> None:
    """It said so itself."""
    server.answers["/"] = body(b"", status=f"{status} X")
    with pytest.raises(FetchFailed, match=str(status)):
        fetch_here(server.url("/"))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123", id="half a body"),
        pytest.param(b"SSH-2.0-OpenSSH_9.9\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100_000, id="endless headers"),
    ],
)
def test_a_connection_that_breaks_may_be_tried_again(server: WebServer, answer: bytes) -> None:
    """Half a body is never taken for a whole one."""
    server.answers["/"] = lambda connection: connection.sendall(answer)
    with pytest.raises(FetchFailed, match="the connection failed"):
        fetch_here(server.url("/"))


def test_a_refused_connection_may_be_tried_again(server: WebServer) -> None:
    """The server may be starting."""
    server.close()
    with pytest.raises(FetchFailed, match="the connection failed"):
        fetch_here(server.url("/"))


def test_a_name_that_does_not_exist_is_final_and_a_dumb_name_server_is_not() -> None:
    """The two look alike to a user, and only one is worth a second try."""

    def unknown(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    def silent(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    with pytest.raises(FetchRejected, match="no host named nowhere"):
        fetch_here("http://nowhere.example/", resolver=unknown)
    with pytest.raises(FetchFailed, match="could not be looked up"):
        fetch_here("http://nowhere.example/", resolver=silent)


def test_a_certificate_is_checked_against_the_name_and_not_the_address(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection goes to an address, the certificate is the name's; one for another name is final."""
    with web_server(certificates.for_name("pictures.example")) as server:
        server.answers["/a"] = body(b"x")
        resolver = resolver_of("127.0.0.1")
        with pytest.raises(FetchRejected, match="certificate"):
            fetch_here(server.url("/a", host="pictures.example"), resolver=resolver)
        monkeypatch.setattr("certifi.where", lambda: str(certificates.authority))
        assert fetch_here(server.url("/a", host="pictures.example"), resolver=resolver) == b"x"
        with pytest.raises(FetchRejected, match="certificate"):
            fetch_here(server.url("/a", host="other.example"), resolver=resolver)


@given(st.text(max_size=60) | st.from_regex(r"https?://[^/]{0,30}(:\d{0,6})?/\S{0,20}", fullmatch=True))
def test_no_text_makes_fetching_fail_in_another_way(url: str) -> None:
    """Whatever somebody types into the field, the answer is a sentence and never a crash."""

    def unknown(host: str, _port: int) -> list[str]:
        host.encode("idna")
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises((FetchRefused, FetchRejected)):
        fetch(url, limits=LIMITS, policy=AddressPolicy(), resolver=unknown)
