"""What the leased transport took out of circulation becomes a letter, and is then forgotten there."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tasks import Batch, JobStatus, status
from tasks.delivery import intake
from tasks.delivery.names import INTAKE, INTAKE_FACTS, INTAKE_RAW
from tasks.enqueue.models import OutboxMessage
from tasks.execution import intake_letters
from tasks.execution.intake_letters import intake_bury
from tasks.execution.messages import message_die
from tasks.failure.letter_models import DeadLetter, JobAttempt
from tasks.failure.remains import Cause, Remains
from tests.integration.tasks.letters import mortal
from tests.servers.embedded import plain

pytestmark = pytest.mark.django_db(transaction=True)

FACTS = {"queue": "default", "delivered": 4, "started": 3, "died": 3, "given_back": 0, "at": 0, "owner": "worker@one"}


@pytest.fixture
def client(clean_broker: str) -> Iterator[Any]:
    """A client of an empty server."""
    with redis.Redis.from_url(plain(clean_broker)) as client:
        yield client


def take_in(client: Any, one: str, raw: bytes, reason: str) -> None:
    """What the transport's scripts do."""
    client.zadd(INTAKE, {one: client.zcard(INTAKE)})
    client.hset(INTAKE_FACTS, one, json.dumps({**FACTS, "reason": reason}))
    client.hset(INTAKE_RAW, one, raw)


def envelope(job: str, **given: Any) -> bytes:
    """The message of a job in the outbox, as kombu writes it on a list."""
    row = OutboxMessage.objects.get(task_id=job)
    properties = {
        "body_encoding": "base64",
        "delivery_info": {"exchange": row.exchange, "routing_key": row.routing_key},
        "priority": row.priority,
    }
    body = base64.b64encode(row.body.encode()).decode()
    whole = {"body": body, "content-type": "application/json", "headers": row.headers, "properties": properties}
    return json.dumps({**whole, **given}).encode()


def test_a_job_that_died_too_often_ends_as_any_other(client: Any) -> None:
    """Its batch counts it, its error callback is called, and its letter can be redriven."""
    with Batch() as batch:
        job = batch.add(mortal.live.si(7).set(link_error=mortal.undo.si(7)))
    take_in(client, "one", envelope(job), intake.DIED_TOO_OFTEN)
    assert intake_bury(client) == 1
    letter = DeadLetter.objects.get()

    assert (letter.task_id, letter.reason, letter.deliveries, letter.queue) == (job, "worker_lost", 4, "default")
    assert (json.loads(letter.body)[0], letter.raw) == ([7], None)
    assert JobAttempt.objects.get().worker == "worker@one"
    assert status(job) is JobStatus.DEAD
    assert Batch.progress(batch.id).dead == 1
    assert OutboxMessage.objects.filter(name=mortal.undo.name).exists()
    assert intake.intake_size(client) == 0


@pytest.mark.parametrize("raw", [b"\xff\x00", b"{", b"[1, 2]", b'"text"', b"", b'{"headers": 7, "properties": []}'])
def test_bytes_that_are_no_message_are_kept_as_they_are(client: Any, raw: bytes) -> None:
    take_in(client, "one", raw, intake.UNDECODABLE)
    intake_bury(client)
    letter = DeadLetter.objects.get()

    assert (letter.task_id, letter.name, letter.reason) == ("raw:one", "", "undecodable")
    assert bytes(letter.raw or b"") == raw


def test_a_job_whose_body_is_corrupt_ends_with_its_bytes_kept(client: Any) -> None:
    """Its headers tell whose it was."""
    job = mortal.live.enqueue(7)
    raw = envelope(job, body="no base64!")
    take_in(client, "one", raw, intake.UNDECODABLE)
    intake_bury(client)
    letter = DeadLetter.objects.get()

    assert (letter.task_id, letter.name, bytes(letter.raw or b"")) == (job, mortal.live.name, raw)
    assert status(job) is JobStatus.DEAD


def test_a_relay_that_dies_before_it_removes_them_makes_no_second_letter(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one reads them again."""
    take_in(client, "one", b"junk", intake.UNDECODABLE)

    def die(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(intake_letters, "intake_remove", die)
        intake_bury(client)
    assert intake.intake_size(client) == 1
    assert intake_bury(client) == 1

    assert DeadLetter.objects.get().deaths == 1
    assert intake.intake_size(client) == 0


def test_one_that_can_not_be_buried_keeps_no_other_from_its_letter(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays, the others go, and the relay is told."""

    def fail_one(remains: Remains, cause: Cause) -> bool:
        if remains.tag == "bad":
            raise RuntimeError("not that one")
        return message_die(remains, cause)

    for one in ("good", "bad", "better"):
        take_in(client, one, one.encode(), intake.UNDECODABLE)
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="not that one"):
        patch.setattr(intake_letters, "message_die", fail_one)
        intake_bury(client)
    assert set(DeadLetter.objects.values_list("task_id", flat=True)) == {"raw:good", "raw:better"}
    assert intake.intake_size(client) == 1

    assert intake_bury(client) == 1
    assert DeadLetter.objects.count() == 3


def test_a_full_intake_is_emptied_batch_by_batch(client: Any) -> None:
    for number in range(5):
        take_in(client, f"{number}", f"junk {number}".encode(), intake.UNDECODABLE)

    assert [intake_bury(client, limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert DeadLetter.objects.count() == 5
