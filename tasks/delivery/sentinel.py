"""The transport whose server is found, and found again after a failover, by Redis Sentinel."""

from __future__ import annotations

from typing import Any

from kombu.utils.url import url_to_parts
from redis import sentinel as _sentinel

from .channel import LeaseChannel
from .kombu_parts import stock
from .publishing import retry_once
from .transport import LeaseTransport

sentinel: Any = _sentinel  # it has no types


class LeaseSentinelChannel(LeaseChannel):
    """Transport options: kombu's `master_name` (required), `min_other_sentinels`, `sentinel_kwargs`."""

    from_transport_options = (
        *LeaseChannel.from_transport_options,
        "master_name",
        "min_other_sentinels",
        "sentinel_kwargs",
    )

    connection_class = sentinel.SentinelManagedConnection
    connection_class_ssl = stock.SentinelManagedSSLConnection

    keyprefix_fanout: str
    master_name: str | None = None
    min_other_sentinels = 0
    sentinel_kwargs: dict[str, Any] | None = None

    def _get_pool(self, asynchronous: bool = False) -> Any:
        if self.master_name is None:
            raise ValueError("sentinel+lease:// needs the transport option master_name: the name the sentinels watch")
        params = self._connparams(asynchronous=asynchronous)
        self.keyprefix_fanout = self.keyprefix_fanout.format(db=params["db"])
        host, port = params.pop("host", None), params.pop("port", None)
        urls = [url_to_parts(url) for url in self.connection.client.alt]
        watchers = [(url.hostname, url.port or self.connection.default_port) for url in urls] or [(host, port)]
        found = sentinel.Sentinel(
            watchers,
            min_other_sentinels=self.min_other_sentinels,
            sentinel_kwargs=self.sentinel_kwargs,
            **params,
        )
        if asynchronous:
            self._async_sentinel_manager = found
        else:
            self._sentinel_manager = found
        login = {name: params[name] for name in ("username", "password") if params.get(name)}
        pool = found.master_for(self.master_name, **login).connection_pool
        if not asynchronous:
            pool.connection_kwargs["retry"] = retry_once()
        return pool


class LeaseSentinelTransport(LeaseTransport):
    """Redis or Valkey behind Sentinel, with leases."""

    default_port = 26379
    Channel = LeaseSentinelChannel
