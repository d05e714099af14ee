"""SQS: what is held stays ours, what is given up becomes a letter, and a server that is away fails soon."""

from __future__ import annotations

import base64
import os
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from celery import Celery

from config import limits
from config.queues import DEFAULT, QUEUES
from tasks import JobStatus, status, task
from tasks.delivery.sqs_hold import Hold
from tasks.enqueue.bounded import BoundedCelery
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.relay import BrokerAway, Relay
from tasks.execution.broker_letters import BrokerLetters
from tasks.failure.letter_models import DeadLetter
from tasks.operation.health import queue_depths
from tasks.testing.waiting import eventually
from tests.conformance.broker.hand import Hand, producing
from tests.conformance.broker.subjects import Subject
from tests.servers.brokers import BrokerServers

SECOND = timedelta(seconds=1)

PATIENT = 30  # seconds for an answer of moto's, whose first takes long on a busy machine
HASTY = 5


@task("sqs_test.take_note", time_limit=10 * SECOND)
def take_note(number: int) -> None:
    """Does nothing: no worker runs here."""


@pytest.fixture
def subject(request: pytest.FixtureRequest, broker_servers: BrokerServers) -> Subject:
    """moto's SQS, which is asked once and given so many seconds to answer."""
    seconds = getattr(request, "param", PATIENT)
    once = {"connect_timeout": seconds, "read_timeout": seconds, "retries": {"total_max_attempts": 1}}
    return Subject(
        name="sqs", url=broker_servers.sqs_url, options={"client-config": once}, delivery_limit=limits.DELIVERY_LIMIT
    )


@pytest.fixture
def app(subject: Subject) -> Iterator[Celery]:
    """The project's app on it, with its queues, which are empty."""
    app = BoundedCelery("sqs-test", set_as_current=False)
    app.config_from_object("project.settings.test", namespace="CELERY")
    app.conf.update(
        broker_url=subject.url,
        broker_transport_options=subject.transport_options(),
        task_queues=[subject.queue(name) for name in QUEUES],
    )
    yield app
    with subject.connect() as connection:
        channel = connection.default_channel
        for url in channel.sqs().list_queues(QueueNamePrefix="suite-").get("QueueUrls", ()):
            channel.sqs().delete_queue(QueueUrl=url)
    app.close()


@pytest.mark.django_db(transaction=True)
def test_what_is_rejected_becomes_a_letter_of_its_job(app: Celery, subject: Subject) -> None:
    """By way of the queue of dead letters, which the relay empties."""
    job = take_note.enqueue(7)
    with Relay(app) as relay:
        assert relay.send_batch().sent == 1
    with Hand(subject, subject.queue(DEFAULT)) as hand:
        hand.take()[0].reject()
    bury = BrokerLetters(app)
    try:  # what other tests have left in that queue becomes letters, too
        eventually(lambda: bury() == 0 and DeadLetter.objects.filter(task_id=job).exists())
    finally:
        bury.close()

    letter = DeadLetter.objects.get(task_id=job)
    assert letter.name == "sqs_test.take_note"
    assert status(job) is JobStatus.DEAD
    assert queue_depths(app, [DEFAULT]) == {DEFAULT: 0}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("subject", [HASTY], indirect=True)
def test_the_relay_keeps_its_rows_while_sqs_hangs(app: Celery, broker_servers: BrokerServers) -> None:
    """And sends them when it goes on."""
    with Relay(app) as relay:
        take_note.enqueue(1)
        assert relay.send_batch().sent == 1
        take_note.enqueue(2)
        group = broker_servers.get("moto").child.pid
        began = time.monotonic()
        os.killpg(group, signal.SIGSTOP)
        try:
            with pytest.raises(BrokerAway):
                relay.send_batch()
        finally:
            os.killpg(group, signal.SIGCONT)
        assert time.monotonic() - began < PATIENT
        assert OutboxMessage.objects.filter(state="queued").count() == 1

        assert relay.send_batch().sent == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("code", ["ExpiredToken", "RequestThrottled", "ServiceUnavailable", "AccessDenied"])
@pytest.mark.parametrize("is_new", [True, False])
def test_what_sqs_refuses_to_do_is_no_messages_fault(
    app: Celery, monkeypatch: pytest.MonkeyPatch, code: str, is_new: bool
) -> None:
    """Whether the relay is connecting or sending: the rows stay."""
    with Relay(app) as relay:
        if not is_new:
            take_note.enqueue(0)
            assert relay.send_batch().sent == 1
        for number in range(3):
            take_note.enqueue(number)
        with monkeypatch.context() as patch, pytest.raises(BrokerAway, match=code):
            patch.setattr(BaseClient, "_make_api_call", refusal(code))
            relay.send_batch()
    assert OutboxMessage.objects.filter(state="queued").count() == 3


@pytest.mark.django_db(transaction=True)
def test_a_message_that_sqs_will_never_take_is_set_aside_and_the_others_go(
    app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQS says so with a code, and takes the next one."""
    ids = [take_note.enqueue(number) for number in range(3)]
    call = BaseClient._make_api_call

    def choosy(self: Any, operation: str, given: Any) -> Any:
        if operation == "SendMessage" and ids[1] in str(base64.b64decode(given["MessageBody"])):
            raise ClientError(error("InvalidParameterValue", "Message must be shorter than 5 bytes."), operation)
        return call(self, operation, given)

    monkeypatch.setattr(BaseClient, "_make_api_call", choosy)
    with Relay(app) as relay:
        done = relay.send_batch()
    assert (done.sent, [task_id for _, task_id, _ in done.refused]) == (2, [ids[1]])


def refusal(code: str) -> Any:
    """What answers every call to SQS with that code."""

    def refuse(_: Any, operation: str, __: Any) -> None:
        raise ClientError(error(code, "no"), operation)

    return refuse


def error(code: str, message: str) -> Any:
    """SQS's answer, as botocore has it."""
    return {"Error": {"Code": code, "Message": message}}


class Client:
    """Stands where boto3's client does, and notes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803
        """As boto3 calls it."""
        self.asked.append((QueueUrl, len(Entries)))
        if len(self.asked) == 1:
            raise OSError("the first question finds nobody")
        return {"Failed": []}


def test_what_was_given_back_or_is_done_is_held_no_longer(subject: Subject) -> None:
    """Else its time is extended for as long as no other message comes, and nobody is given it."""
    queue = subject.queue()
    with producing(subject, queue) as send, Hand(subject, queue, prefetch=1) as hand:
        send("a")
        (given_back,) = hand.take()
        assert len(hand.channel._held()) == 1
        given_back.reject(requeue=True)
        assert hand.channel._held() == []
        (done,) = hand.take()
        done.ack()
        assert hand.channel._held() == []


def test_a_hold_asks_for_ten_at_once_and_again_after_a_fault() -> None:
    """As SQS allows; a fault of one question ends neither the thread nor the hold."""
    client = Client()
    hold = Hold(client, lambda: [("one", str(number)) for number in range(12)] + [("two", "x")], SECOND / 10)
    hold.begin()
    try:
        eventually(lambda: len(client.asked) >= 6)
    finally:
        hold.end()
    assert client.asked[:6] == [("one", 10), ("one", 2), ("two", 1)] * 2
