"""What a broker gives up by itself becomes a letter, and then leaves the broker's own queue of dead letters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from celery import Celery
from kombu import Connection, Exchange, Producer, Queue

from tasks import JobStatus, status
from tasks.enqueue.models import OutboxMessage
from tasks.execution import broker_letters
from tasks.execution.broker_letters import BrokerLetters
from tasks.execution.messages import message_die
from tasks.failure.letter_models import DeadLetter
from tasks.failure.remains import Cause, Remains
from tasks.testing.waiting import eventually
from tasks.topology import broker_of, queue_shape
from tests.integration.tasks.letters import mortal
from tests.servers.brokers import BrokerServers
from tests.servers.rabbitmq import RabbitMQ

pytestmark = pytest.mark.django_db(transaction=True)


class Site:
    """A RabbitMQ with one queue of the project's shape, and the relay's chore for it."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        shape = queue_shape(broker_of("amqp://"), "letters_test", delivery_limit=2)
        exchange = Exchange(shape.name, type=shape.exchange_type)
        bound = Queue(shape.name, exchange, routing_key=shape.name, queue_arguments=shape.arguments)
        self.queue: Any = bound(connection.default_channel)
        self.queue.declare()
        app = Celery("letters_test", broker=connection.as_uri(include_password=True), set_as_current=False)
        self.bury = BrokerLetters(app)

    def send(self, job: str) -> None:
        """What the relay does with a job."""
        row = OutboxMessage.objects.get(task_id=job)
        Producer(self.connection).publish(
            row.body,
            exchange="letters_test",
            routing_key="letters_test",
            headers=row.headers,
            content_type="application/json",
            content_encoding="utf-8",
        )

    def take(self) -> Any:
        """Its message, in somebody's hands."""
        found: list[Any] = []

        def look() -> bool:
            message = self.queue.get()
            found.extend([message] if message is not None else [])
            return bool(found)

        eventually(look)
        return found[0]


@pytest.fixture
def site(broker_servers: BrokerServers) -> Iterator[Site]:
    node = broker_servers.get("rabbitmq")
    assert isinstance(node, RabbitMQ)
    with Connection(node.empty_virtual_host()) as connection:
        site = Site(connection)
        site.bury()
        yield site
        site.queue.delete()
        site.bury.close()


def buried(site: Site) -> DeadLetter:
    """Wait until the relay's chore has found one; its letter."""
    eventually(lambda: site.bury() or DeadLetter.objects.exists())
    return DeadLetter.objects.get()


def test_what_a_worker_rejects_is_kept_with_where_it_was_sent(site: Site) -> None:
    """A plain Celery task's message, say."""
    job = mortal.live.enqueue(7)
    site.send(job)
    site.take().reject()
    letter = buried(site)

    assert (letter.task_id, letter.reason) == (job, "rejected")
    assert (letter.exchange, letter.queue, json.loads(letter.body)[0]) == ("letters_test", "letters_test", [7])
    assert not [name for name in letter.headers if "death" in name]
    assert status(job) is JobStatus.DEAD
    assert site.bury() == 0


def test_what_was_delivered_too_often_has_lost_its_workers(site: Site) -> None:
    job = mortal.live.enqueue(7)
    site.send(job)
    for _ in range(3):
        site.take().requeue()

    assert buried(site).reason == "worker_lost"


def test_one_that_can_not_be_buried_keeps_no_other_from_its_letter(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes back, the others are acknowledged, and the relay is told."""
    bad, good = mortal.live.enqueue(1), mortal.live.enqueue(2)

    def fail_one(remains: Remains, cause: Cause) -> bool:
        if remains.task_id == bad:
            raise RuntimeError
        return message_die(remains, cause)

    def taken() -> bool:
        with suppress(RuntimeError):
            site.bury()
        return DeadLetter.objects.exists()

    for job in (bad, good):
        site.send(job)
        site.take().reject()
    with monkeypatch.context() as patch:
        patch.setattr(broker_letters, "message_die", fail_one)
        eventually(taken)
        assert DeadLetter.objects.get().task_id == good

    eventually(lambda: site.bury() or DeadLetter.objects.filter(task_id=bad).exists())


def test_one_whose_letter_could_not_be_written_is_handed_out_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The relay died before the commit."""
    job = mortal.live.enqueue(7)
    site.send(job)
    site.take().reject()

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(broker_letters, "attempt_write", die)
        eventually(site.bury)
    assert DeadLetter.objects.count() == 0
    site.bury.close()  # its connection ends with it

    assert buried(site).task_id == job
    assert DeadLetter.objects.get().deaths == 1
