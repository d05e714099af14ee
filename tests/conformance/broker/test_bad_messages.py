"""Whoever can write to the broker can write anything."""

from __future__ import annotations

import uuid

from kombu import Producer

from tests.conformance.broker.declaring import cannot, promised
from tests.conformance.broker.floor import Floor
from tests.conformance.broker.hand import producing

GARBAGE = b"\x80\x04 no message"


@promised("bad_body")
def test_a_body_that_no_worker_can_read_harms_no_worker(manned_floor: Floor) -> None:
    """Not JSON though it says so, a content type that is refused, and a task that nobody knows."""
    with producing(manned_floor.subject, manned_floor.queue) as send:
        send(GARBAGE, serializer=None, content_type="application/json", content_encoding="utf-8")
        send(GARBAGE, serializer=None, content_type="application/x-python-serialize", content_encoding="binary")
        send([[], {}, {}], headers={"id": "1", "task": "nobody.knows", "lang": "py"})

    unharmed(manned_floor)


@promised("bad_bytes")
def test_bytes_that_are_no_message_harm_no_worker(manned_floor: Floor) -> None:
    """Nothing around them says what they are."""
    put(manned_floor)

    unharmed(manned_floor)


@cannot("bad_bytes", "redis")
def test_on_redis_bytes_that_are_no_message_end_a_worker(floor: Floor) -> None:
    """Its main process: no child's failure that could be told. The one after it works."""
    worker = floor.worker()
    put(floor)

    assert worker.wait() != 0
    floor.worker()
    floor.send("say", "after")
    floor.await_said("after", "ran")


def put(floor: Floor) -> None:
    """Put garbage in the queue, past kombu where kombu would make a message of it."""
    with floor.subject.connect() as connection:
        channel = connection.default_channel
        if floor.subject.name == "rabbitmq":
            Producer(channel).publish(GARBAGE, exchange=floor.queue.exchange, routing_key=floor.queue.routing_key)
        elif floor.subject.name == "sqs":
            url = channel._resolve_queue_url(floor.queue.name)
            channel.sqs().send_message(QueueUrl=url, MessageBody="{ no message")
        else:
            channel.client.lpush(floor.queue.name, GARBAGE)


def unharmed(floor: Floor) -> None:
    """Both workers are the processes that they were, and take jobs."""
    marks = [f"after the garbage {uuid.uuid4().hex}" for _ in range(4)]
    for mark in marks:
        floor.send("say", mark)
    for mark in marks:
        floor.await_said(mark, "ran")
    assert [worker.status for worker in floor.workers] == ["running"] * 2
