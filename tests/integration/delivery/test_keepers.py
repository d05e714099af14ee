"""One thread renews all leases of a process on one server."""

from __future__ import annotations

from typing import Any

from kombu import Connection
from redis.credentials import CredentialProvider

import tasks.delivery  # noqa: F401 # registers the schemes


class Anybody(CredentialProvider):
    """As a cloud's, whose passwords are short-lived."""

    def get_credentials(self) -> tuple[str, str]:
        """The server of the tests lets in whoever comes."""
        return "default", "password"


def test_all_channels_of_a_process_have_one_keeper(lease_url: str) -> None:
    """Also where passwords come from a provider: each time a worker connects anew there would be a thread more."""
    provider = f"{__name__}:{Anybody.__qualname__}"
    choices: list[dict[str, Any]] = [{}, {"credential_provider": provider}]
    for options in choices:
        with Connection(lease_url, **options) as first, Connection(lease_url, **options) as second:
            channels: list[Any] = [first.channel(), second.channel(), second.channel()]
            assert len({id(channel.keeper) for channel in channels}) == 1


def test_another_prefix_has_another_keeper(lease_url: str) -> None:
    """Its leases are under other keys."""
    with (
        Connection(lease_url) as first,
        Connection(lease_url, transport_options={"global_keyprefix": "other."}) as second,
    ):
        channels: list[Any] = [first.channel(), second.channel()]
        assert channels[0].keeper is not channels[1].keeper
