"""Makes kombu understand `redis+lease://` and its sisters.

kombu takes what stands before a "+" for the transport and what follows for the rest of the URL, so that it would read
`redis+lease://host` as its own Redis transport on a host called "lease://host", and connect to localhost. So the one
place that reads URLs, `Connection.__init__`, is told of these schemes first.
"""

from __future__ import annotations

import functools
import ssl
from typing import Any, Final

from kombu.connection import Connection
from kombu.transport import TRANSPORT_ALIASES

_HERE: Final = __name__.rpartition(".")[0]

SCHEMES: Final = {
    "redis+lease": f"{_HERE}.transport:LeaseTransport",
    "rediss+lease": f"{_HERE}.transport:LeaseTransport",
    "sentinel+lease": f"{_HERE}.sentinel:LeaseSentinelTransport",
}


def schemes_register() -> None:
    """Register the transports. A second call does nothing."""
    TRANSPORT_ALIASES.update(SCHEMES)
    original = Connection.__init__
    if hasattr(original, "__wrapped__") and getattr(original, "knows_leases", False):
        return

    @functools.wraps(original)
    def init(self: Any, hostname: Any = "localhost", *args: Any, **kwargs: Any) -> None:
        urls = hostname.split(";") if isinstance(hostname, str) else []
        scheme = urls[0].partition("://")[0] if urls else ""
        if scheme not in SCHEMES:
            original(self, hostname, *args, **kwargs)
            return
        plain = scheme.removesuffix("+lease")
        if len(urls) > 1:
            kwargs["alternates"] = urls
        kwargs["transport"] = scheme
        original(self, plain + urls[0].removeprefix(scheme), *args, **kwargs)
        if plain == "rediss" and not self.ssl:  # kombu's own scheme would not verify the server
            self.ssl = self._initial_params["ssl"] = {"ssl_cert_reqs": ssl.CERT_REQUIRED}

    init.knows_leases = True  # type: ignore[attr-defined] # so that a second call sees it
    Connection.__init__ = init  # type: ignore[method-assign] # kombu offers no other way in
