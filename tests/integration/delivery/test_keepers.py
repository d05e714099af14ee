"""One thread renews all leases of a process on one server."""

from __future__ import annotations

import threading
from typing import Any

from kombu import Connection, Producer
from redis.credentials import CredentialProvider

import tasks.delivery  # noqa: F401 # registers the schemes
from tasks.delivery.keeper import release_all
from tasks.delivery.lease import Lease
from tasks.testing.waiting import eventually


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


def test_a_process_that_gave_back_all_has_no_thread_until_it_holds_something_again(lease_url: str) -> None:
    """One that runs while the interpreter ends may crash that under gevent."""
    with Connection(lease_url, transport_options={"lease": 1.0}) as connection:
        channel: Any = connection.default_channel
        Producer(connection).publish("a", routing_key="jobs")
        for _ in range(2):
            message = channel.basic_get("jobs")
            assert (message.payload, _keepers_threads()) == ("a", 1)
            _is_renewed(channel.gets.lease)
            release_all()
            assert _keepers_threads() == 0


def _is_renewed(lease: Lease) -> None:
    at_first = lease.good_until
    eventually(lambda: lease.good_until > at_first)


def _keepers_threads() -> int:
    return sum(thread.name == "lease-keeper" for thread in threading.enumerate())


def test_another_prefix_has_another_keeper(lease_url: str) -> None:
    """Its leases are under other keys."""
    with (
        Connection(lease_url) as first,
        Connection(lease_url, transport_options={"global_keyprefix": "other."}) as second,
    ):
        channels: list[Any] = [first.channel(), second.channel()]
        assert channels[0].keeper is not channels[1].keeper
