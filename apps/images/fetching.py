"""Fetches bytes from a URL that a stranger gave.

Bounded in bytes, in time and in redirects, and never from an address inside: `connections` keeps that for
every hop. Proxies, cookies and credentials of this machine are not used.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import httpcore
import httpx

from apps.timed_network import Deadline, Resolver, resolve

from .addresses import AddressPolicy
from .connections import AddressRefused, CheckedBackend
from .errors import FetchFailed, FetchRefused, FetchRejected, FetchTooLarge

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PASSING_TROUBLE: Final = frozenset({408, 425, 429})
# Other ports below 1024 belong to other protocols; what those make of a request is not ours to find out.
_PORTS: Final = frozenset({80, 443, *range(1024, 65536)})

_INVALID: Final = "this is not a valid URL"
_HEADERS: Final = (
    ("User-Agent", "rootstock-images/1"),
    ("Accept", "image/*,*/*;q=0.1"),
    # What arrives is what is counted: a few bytes can't unpack into many.
    ("Accept-Encoding", "identity"),
    ("Connection", "close"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """How much one fetch may cost, redirects included."""

    max_bytes: int
    max_time: timedelta
    max_redirects: int = 5


def fetch(url: str, *, limits: FetchLimits, policy: AddressPolicy, resolver: Resolver = resolve) -> bytes:
    """Return what *url* holds, following redirects.

    Raises FetchRefused for a URL that must not be asked, FetchTooLarge past the limit, FetchRejected for an
    answer that won't change, FetchFailed for what may work later.
    """
    backend = CheckedBackend(policy=policy, deadline=Deadline(limits.max_time), resolver=resolver)
    target = checked_url(url)
    try:
        for _ in range(limits.max_redirects + 1):
            answer = _get(backend, target, url, limits.max_bytes)
            if isinstance(answer, bytes):
                return answer
            target = checked_url(answer, asked=url)
    except AddressRefused as error:
        raise FetchRefused(url, f"its host is {error.kind}") from error
    except UnicodeError:  # the resolver's word for a name with an empty or endless label
        raise FetchRefused(url, _INVALID) from None
    except socket.gaierror as error:
        raise _unresolved(url, target, error) from error
    except httpcore.TimeoutException as error:
        seconds = limits.max_time.total_seconds()
        raise FetchFailed(url, f"there was no complete answer within {seconds:g} s") from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise _unconnected(url, error) from error
    raise FetchRefused(url, f"it redirects more than {limits.max_redirects} times")


def checked_url(target: str, *, asked: str | None = None) -> httpx.URL:
    """Parse *target*, which the URL *asked* for may have redirected to. Raises FetchRefused.

    Looks at the URL alone; where its name leads is only known, and checked, when it is connected to.
    """
    url = asked or target
    try:
        parsed = httpx.URL(target)
        host = parsed.host  # decodes a name in Punycode, or finds that it is none
    except (httpx.InvalidURL, UnicodeError):
        raise FetchRefused(url, _INVALID) from None
    if parsed.scheme not in ("http", "https") or not host:
        raise FetchRefused(url, "only http:// and https:// URLs are fetched")
    if parsed.userinfo:
        raise FetchRefused(url, "a URL with a user name or password in it is not accepted")
    if parsed.port is not None and parsed.port not in _PORTS:
        raise FetchRefused(url, f"port {parsed.port} is not one for web pages")
    return parsed


def _get(backend: CheckedBackend, target: httpx.URL, url: str, max_bytes: int) -> bytes | str:
    """One request: the body, or the URL that it redirects to."""
    host = target.netloc.decode("ascii")
    wire = httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path)
    with (
        httpcore.ConnectionPool(network_backend=backend) as pool,
        pool.stream("GET", wire, headers=[("Host", host), *_HEADERS]) as response,
    ):
        headers = {name.lower(): value.decode("latin-1") for name, value in response.headers}
        if response.status in _REDIRECTS and b"location" in headers:
            return _joined(target, headers[b"location"], url)
        if response.status >= 500 or response.status in _PASSING_TROUBLE:
            raise FetchFailed(url, f"the server answered {response.status}")
        if response.status != 200:
            raise FetchRejected(url, f"the server answered {response.status}")
        if headers.get(b"content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise FetchRejected(url, "the server sent it compressed although asked not to")
        return _body(response, url, max_bytes)


def _joined(target: httpx.URL, location: str, url: str) -> str:
    try:
        return str(target.join(location))
    except (httpx.InvalidURL, UnicodeError):
        raise FetchRefused(url, "it redirects to something that is not a valid URL") from None


def _body(response: httpcore.Response, url: str, max_bytes: int) -> bytes:
    """Read until the end or until one byte too many, whatever Content-Length says."""
    content = bytearray()
    for part in response.iter_stream():
        content += part
        if len(content) > max_bytes:
            raise FetchTooLarge(url, max_bytes)
    return bytes(content)


def _unresolved(url: str, target: httpx.URL, error: socket.gaierror) -> FetchFailed | FetchRejected:
    if error.errno == socket.EAI_AGAIN:
        return FetchFailed(url, f"the name {target.host} could not be looked up")
    return FetchRejected(url, f"there is no host named {target.host}")


def _unconnected(url: str, error: Exception) -> FetchFailed | FetchRejected:
    # httpcore cuts the chain of causes, but hands on the system's error as its argument.
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in error.args):
        return FetchRejected(url, "the server's certificate is not valid for it")
    return FetchFailed(url, "the connection failed")
