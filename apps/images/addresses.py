"""Which addresses a fetch may connect to: public ones, and those that the settings name.

The table follows IANA's registries of special-purpose addresses rather than `ipaddress.is_global`, whose
answers changed between Python's patch releases and which lets through addresses that carry an IPv4 one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_REFUSED_IPV4: Final[dict[str, str]] = {
    "0.0.0.0/8": "an unspecified address",
    "10.0.0.0/8": "a private address",
    "100.64.0.0/10": "a carrier's internal address",
    "127.0.0.0/8": "a loopback address",
    "168.63.129.16/32": "a cloud platform's internal address",  # Azure's host, seen by its machines
    "169.254.0.0/16": "a link-local address",  # where cloud platforms hand out credentials
    "172.16.0.0/12": "a private address",
    "192.0.0.0/24": "a reserved address",
    "192.0.2.0/24": "a documentation address",
    "192.88.99.0/24": "a reserved address",
    "192.168.0.0/16": "a private address",
    "198.18.0.0/15": "a benchmarking address",
    "198.51.100.0/24": "a documentation address",
    "203.0.113.0/24": "a documentation address",
    "224.0.0.0/4": "a multicast address",
    "240.0.0.0/4": "a reserved address",
}

# Only 2000::/3 is handed out as global unicast. Inside it:
_GLOBAL_UNICAST_IPV6: Final = IPv6Network("2000::/3")
_REFUSED_IPV6: Final[dict[str, str]] = {
    "2001::/23": "a reserved address",  # Teredo, ORCHID and other protocols' own
    "2001:db8::/32": "a documentation address",
    "2002::/16": "a tunnel's address",  # 6to4: carries an IPv4 address of anybody's choice
    "3fff::/20": "a documentation address",
}

# Carry an IPv4 address in their last 32 bits and end at it: judged by what they carry.
_CARRIERS: Final = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))

_REFUSED_V4: Final = tuple((IPv4Network(network), kind) for network, kind in _REFUSED_IPV4.items())
_REFUSED_V6: Final = tuple((IPv6Network(network), kind) for network, kind in _REFUSED_IPV6.items())


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Public addresses, and what lies in *allowed* (an operator's own image server, a test's loopback)."""

    allowed: tuple[Network, ...] = ()

    @classmethod
    def allowing(cls, networks: Iterable[str]) -> AddressPolicy:
        """Read networks such as '10.1.0.0/16' or '::1'. Raises ValueError for what isn't one."""
        return cls(tuple(ip_network(network) for network in networks))

    def allows_by_name(self, address: Address) -> bool:
        """Whether *address* lies in a network that the settings name."""
        return any(address in network for network in self.allowed if network.version == address.version)

    def refusal(self, text: str) -> str | None:
        """Why the address written as *text* may not be connected to, as a noun phrase; None if it may.

        Raises ValueError if *text* isn't an address.
        """
        address = ip_address(text)
        return None if self.allows_by_name(address) else _kind_refused(address)


def _kind_refused(address: Address) -> str | None:
    if isinstance(address, IPv4Address):
        return next((kind for network, kind in _REFUSED_V4 if address in network), None)
    if any(address in carrier for carrier in _CARRIERS):
        return _kind_refused(IPv4Address(int(address) & 0xFFFFFFFF))
    if address not in _GLOBAL_UNICAST_IPV6:
        return _kind_outside_global_unicast(address)
    return next((kind for network, kind in _REFUSED_V6 if address in network), None)


def _kind_outside_global_unicast(address: IPv6Address) -> str:
    if address.is_loopback:
        return "a loopback address"
    if address.is_link_local:
        return "a link-local address"
    if address.is_multicast:
        return "a multicast address"
    return "a private or reserved address"
