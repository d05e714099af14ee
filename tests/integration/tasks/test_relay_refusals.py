"""A broker that answers, and refuses: its trouble costs no job, and one message's own trouble costs no other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import Celery
from kombu import Producer
from redis import Redis

from config.queues import CRITICAL, DEFAULT
from tasks import task
from tasks.enqueue import leaving
from tasks.enqueue.bounded import BoundedCelery
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.relay import BATCH, BrokerAway, Relay
from tests.servers.brokers import BrokerServers

pytestmark = pytest.mark.django_db(transaction=True)
A_MINUTE = 60.0


@task("relay_refusals.take_note", time_limit=timedelta(seconds=10))
def take_note(number: int) -> None:
    """Does nothing: no worker runs here."""


@pytest.fixture
def broker(broker_servers: BrokerServers) -> str:
    """The URL of a broker of this process's own, as Celery's transport takes it: here it is filled and emptied."""
    return broker_servers.empty_database("valkey")


@pytest.fixture(params=["lease", "stock"])
def app(request: pytest.FixtureRequest, broker: str) -> Iterator[Celery]:
    """The project's app on the transport that it has, and on Celery's own."""
    app = BoundedCelery("refusals-test", set_as_current=False)
    app.config_from_object("project.settings.test", namespace="CELERY")
    app.conf.update(broker_url=broker if request.param == "stock" else broker.replace("redis://", "redis+lease://"))
    yield app
    app.close()


@pytest.fixture
def relay(app: Celery) -> Iterator[Relay]:
    """A relay, not connected."""
    with Relay(app) as relay:
        yield relay


@pytest.fixture
def connected(relay: Relay) -> Relay:
    """The relay, with a connection from before."""
    OutboxMessage.objects.filter(task_id=take_note.enqueue(0)).update(routing_key=DEFAULT)
    assert relay.send_batch().sent == 1
    OutboxMessage.objects.all().delete()
    return relay


@pytest.fixture
def server(broker: str) -> Iterator[Any]:
    """The broker, as whoever runs it sees it."""
    with Redis.from_url(broker) as client:
        yield client


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let a minute go by for the relay."""
    passed = [0.0]
    monkeypatch.setattr(leaving, "monotonic", lambda: time.monotonic() + passed[0])

    def go() -> None:
        passed[0] += A_MINUTE

    return go


def states() -> list[str]:
    """Of each job, as they were enqueued."""
    return list(OutboxMessage.objects.order_by("pk").values_list("state", flat=True))


@pytest.mark.parametrize("is_new", [True, False])
def test_a_full_broker_is_no_messages_fault(
    connected: Relay, is_new: bool, server: Any, later: Callable[[], None]
) -> None:
    """It reads, and takes nothing, not even the bindings of a relay that is connecting."""
    relay = connected
    if is_new:
        relay.disconnect()
        server.flushdb()
    for number in range(3):
        take_note.enqueue(number)
    server.config_set("maxmemory-policy", "noeviction")
    server.config_set("maxmemory", 1)
    try:
        for _ in range(3):
            with pytest.raises(BrokerAway):
                relay.send_batch()
    finally:
        server.config_set("maxmemory", 0)
    assert states() == ["queued"] * 3

    later()
    assert relay.send_batch().sent == 3


def test_a_broker_that_has_forgotten_its_queues_is_told_of_them_again(connected: Relay, server: Any) -> None:
    """A failover without its memory, while the relay was connected."""
    for number in range(3):
        take_note.enqueue(number)
    server.flushdb()

    done = connected.send_batch()

    assert (done.sent, done.refused) == (3, [])


def test_a_queue_that_takes_nothing_holds_no_other_back(
    connected: Relay, server: Any, later: Callable[[], None]
) -> None:
    """However many of its messages there are before the others; they are sent when it is put right."""
    for number in range(5):
        take_note.enqueue(number, priority=0)
    other = take_note.enqueue(9, priority=0)
    OutboxMessage.objects.filter(task_id=other).update(exchange=CRITICAL, routing_key=CRITICAL)
    connected.batch = 2
    server.execute_command("ACL", "SETUSER", "default", "resetkeys", "~[^d]*", "%R~d*")
    try:
        assert connected.send_batch().sent == 1
        assert states() == ["queued"] * 5 + ["sent"]
        later()
        with pytest.raises(BrokerAway, match="permi"):
            connected.send_batch()
    finally:
        server.execute_command("ACL", "SETUSER", "default", "resetkeys", "~*")
    later()
    connected.batch = BATCH
    assert connected.send_batch().sent == 5


def test_a_message_at_which_the_connection_is_lost_holds_no_other_back(
    connected: Relay, monkeypatch: pytest.MonkeyPatch, later: Callable[[], None]
) -> None:
    """A proxy that closes at so large a message, say. What was taken is marked, and not sent again each time."""
    ids = [take_note.enqueue(number) for number in range(4)]
    taken: list[str] = []
    publish = Producer.publish

    def lose(self: Any, body: Any, **options: Any) -> Any:
        task_id = options["headers"]["id"]
        if task_id == ids[1]:
            raise ConnectionResetError
        taken.append(task_id)
        return publish(self, body, **options)

    monkeypatch.setattr(Producer, "publish", lose)
    for _ in range(2):  # at once, then one by one
        with pytest.raises(BrokerAway):
            connected.send_batch()
    assert connected.send_batch().sent == 2

    assert states() == ["sent", "queued", "sent", "sent"]
    assert [taken.count(task_id) for task_id in ids] == [2, 0, 1, 1]


def test_what_a_client_says_that_has_lost_its_connection_is_no_messages_fault(
    connected: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Client libraries stumble over their own closed sockets; a message that can't be made raises the same."""
    take_note.enqueue(1)

    def stumble(*_: Any, **__: Any) -> None:
        raise TypeError("'NoneType' object is not callable")

    monkeypatch.setattr(Producer, "publish", stumble)
    declare, calls = connected._sender._declare, []

    def once(connection: Any) -> None:
        calls.append(1)
        if len(calls) > 1:
            raise OSError
        declare(connection)

    monkeypatch.setattr(connected._sender, "_declare", once)
    with pytest.raises(BrokerAway):
        connected.send_batch()
    assert states() == ["queued"]
