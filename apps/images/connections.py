"""Connections to what a stranger points at: only to addresses that were checked, only until a deadline.

A name is resolved here, once a connection; every address it has is checked, and the connection goes to one of
them. Nobody asks for the name again in between, so changing its answer (DNS rebinding) gains nothing.
"""

from __future__ import annotations

from ipaddress import ip_address

import httpcore

from apps.timed_network import Deadline, Resolver, TimedBackend, resolve

from .addresses import AddressPolicy


class AddressRefused(Exception):
    """A name has an address, or a connection an end, that the policy refuses."""

    def __init__(self, host: str, kind: str) -> None:
        super().__init__(host, kind)
        self.host, self.kind = host, kind

    def __str__(self) -> str:
        return f"{self.host} is {self.kind}"


class CheckedBackend(TimedBackend):
    """The timed network, with every address checked by *policy*. Raises AddressRefused where one is refused."""

    def __init__(self, *, policy: AddressPolicy, deadline: Deadline, resolver: Resolver = resolve) -> None:
        super().__init__(deadline=deadline, resolver=resolver)
        self._policy = policy

    def check_addresses(self, host: str, addresses: list[str]) -> None:
        """One that is refused is enough."""
        for address in addresses:
            kind = self._policy.refusal(address)
            if kind:
                raise AddressRefused(host, kind)

    def check_connected(self, host: str, stream: httpcore.NetworkStream) -> None:
        """A public address may be this machine's own, where services trust whoever reaches them."""
        here, there = (ip_address(stream.get_extra_info(end)[0]) for end in ("client_addr", "server_addr"))
        if here == there and not self._policy.allows_by_name(there):
            stream.close()
            raise AddressRefused(host, "an address of this machine")
