"""Which addresses a fetch may connect to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.images.addresses import AddressPolicy

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::200e",
    "3ffe:ffff::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]

INSIDE = [
    "0.0.0.0",  # noqa: S104 -- looked at, not bound to
    "0.255.255.255",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::127.0.0.1",
    "::ffff:0.0.0.0",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:7f00:1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "1::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_let_through(address: str) -> None:
    """The neighbours of every refused network are somebody's real server."""
    assert AddressPolicy().refusal(address) is None


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_refused_in_every_spelling(address: str) -> None:
    """One form that slips through opens the metadata service, the database or the router to strangers."""
    assert AddressPolicy().refusal(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_the_same_inside_its_carriers(address: IPv4Address) -> None:
    """Mapped and NAT64 addresses end at the IPv4 address in them, whatever it is."""
    policy = AddressPolicy()
    for carrier in (f"::ffff:{address}", f"64:ff9b::{address}"):
        assert policy.refusal(carrier) == policy.refusal(str(address))


@given(st.ip_addresses(v=6))
def test_an_ipv6_address_that_python_calls_inside_is_never_let_through(address: IPv6Address) -> None:
    """Our table may be stricter than Python's, never laxer."""
    inside = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
    if inside and address.ipv4_mapped is None:
        assert AddressPolicy().refusal(str(address))


def test_only_the_networks_of_the_settings_are_let_through_besides() -> None:
    """An operator opens one network, not its neighbours."""
    policy = AddressPolicy.allowing(["10.1.0.0/16", "::1"])
    assert policy.refusal("10.1.2.3") is None
    assert policy.refusal("::1") is None
    assert policy.refusal("10.2.0.1")
    assert policy.refusal("127.0.0.1")


def test_a_setting_that_is_no_network_is_an_error() -> None:
    """A typo must not silently allow nothing, nor everything."""
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/40"):
        AddressPolicy.allowing(["10.0.0.0/40"])
