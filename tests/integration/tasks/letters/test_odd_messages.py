"""Messages that a foreign publisher or a fault has made: each becomes a letter, and stands in nobody's way."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import transaction

from tasks import Batch
from tasks.enqueue.models import OutboxMessage
from tasks.errors import UnknownTask
from tasks.execution import messages
from tasks.execution.consumer import park_or_die
from tasks.execution.deaths import Reason
from tasks.execution.messages import flaw, message_die, remains_of_bytes
from tasks.failure.letter_models import DeadLetter
from tasks.failure.remains import Cause
from tests.integration.tasks.letters import mortal

pytestmark = pytest.mark.django_db(transaction=True)

CAUSE = Cause(reason=Reason.WORKER_LOST, error_type="WorkersLost", error_message="3")
NOWHERE = {"task": "x", "args": [], "kwargs": {}, "options": {"queue": "nowhere"}}


def raw(headers: dict[str, Any] | None = None, follows: Any = None, body: Any = None) -> bytes:
    text = json.dumps([[7], {}, follows or {}] if body is None else body)
    whole = {
        "body": base64.b64encode(text.encode()).decode(),
        "content-type": "application/json",
        "headers": {"id": "an-id", "task": mortal.die.name, **(headers or {})},
        "properties": {"body_encoding": "base64", "delivery_info": {"exchange": "", "routing_key": "default"}},
    }
    return json.dumps(whole).encode()


ODD: dict[str, bytes] = {
    "an id with a NUL": raw({"id": "a\x00b"}),
    "a long id": raw({"id": "a" * 300}),
    "an id with half a character": raw({"id": "a\ud800b"}),
    "a group with a NUL": raw({"group": "a\x00b"}, {"chord": {"task": "x"}}),
    "a place in a group that is none": raw({"group": "a", "group_index": "x"}, {"chord": {"task": "x"}}),
    "a batch with a NUL": raw({"tasks_batch": "a\x00b"}),
    "a batch that is a number": raw({"tasks_batch": 7}),
    "a batch that is a list": raw({"tasks_batch": [7]}),
    "a generation that is text": raw({"tasks_generation": "x"}),
    "an edition that is a list": raw({"tasks_edition": [1]}),
    "an edition with a NUL": raw({"tasks_edition": "\x00"}),
    "a chain of numbers": raw({}, {"chain": [1]}),
    "a chain of text": raw({}, {"chain": ["x"]}),
    "a chain that is text": raw({}, {"chain": "xy"}),
    "a chain that is a number": raw({}, {"chain": 7}),
    "a link without options": raw({}, {"chain": [{"task": "x"}]}),
    "a link whose options are none": raw({}, {"chain": [{"task": "x", "options": None}]}),
    "a link whose headers are a list": raw({}, {"chain": [{"task": "x", "options": {"headers": [1]}}]}),
    "a chord that is cut off": raw({}, {"chain": [{"subtask_type": "chord", "task": "celery.chord"}]}),
    "error callbacks of numbers": raw({}, {"errbacks": [1]}),
    "error callbacks of text": raw({}, {"errbacks": ["x"]}),
    "an error callback without a task": raw({}, {"errbacks": [{}]}),
    "an error callback whose queue was removed": raw({}, {"errbacks": [NOWHERE]}),
    "a body of Celery's first protocol": raw(body={"args": [7], "kwargs": {}}),
}


@pytest.mark.parametrize("what", ODD)
def test_what_is_odd_about_a_message_does_not_keep_its_job_from_dying(what: str) -> None:
    """Nor from all that belongs to it and can be done: here `on_death`, and that the batch is told."""
    with transaction.atomic():
        assert message_die(remains_of_bytes(ODD[what], tag="t", queue="default"), CAUSE)

    assert [letter.pk for letter, _ in mortal.deaths] == [DeadLetter.objects.get().pk]


def test_an_error_callback_that_can_not_be_written_is_noted_and_the_others_are() -> None:
    """Its queue was removed since, say. The batch counts its member all the same."""
    good = dict(mortal.undo.si(1))
    with Batch() as batch:
        batch.add(mortal.live.si(1), task_id="an-id")
    odd = raw({"tasks_batch": batch.id}, {"errbacks": [NOWHERE, good]})
    with transaction.atomic():
        message_die(remains_of_bytes(odd, tag="t", queue="default"), CAUSE)

    assert DeadLetter.objects.get().note == "its error callback x could not be enqueued: QueueNotFound"
    assert Batch.progress(batch.id).dead == 1


def test_what_can_not_die_as_a_job_leaves_a_letter_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is that nobody thought of."""
    monkeypatch.setattr(messages, "job_die", _fail)
    with transaction.atomic():
        assert message_die(remains_of_bytes(raw(), tag="t", queue="default"), CAUSE)
        assert not message_die(remains_of_bytes(raw(), tag="t", queue="default"), CAUSE)

    letter = DeadLetter.objects.get()
    assert (letter.task_id, letter.deaths, json.loads(letter.body)[0]) == ("an-id", 1, [7])
    assert letter.note == "nobody was told of its death: RuntimeError"


def test_a_job_on_record_waits_until_it_can_die_with_all_that_belongs_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its row would stay alive beside its letter, and the reconciler would send it again."""
    mortal.die.enqueue(7, task_id="an-id")
    monkeypatch.setattr(messages, "job_die", _fail)

    with pytest.raises(RuntimeError), transaction.atomic():
        message_die(remains_of_bytes(raw(), tag="t", queue="default"), CAUSE)
    assert not DeadLetter.objects.exists()


def test_an_odd_header_does_not_keep_a_message_from_being_parked() -> None:
    """Its worker would never acknowledge it, and with a prefetch of one take nothing else."""
    remains = remains_of_bytes(raw({"task": "not.here", "note": "a\x00b"}), tag="t", queue="default")
    with transaction.atomic():
        park_or_die(remains, UnknownTask("not.here", ()))

    assert OutboxMessage.objects.get(task_id="an-id").headers["note"] == "a\\x00b"


@pytest.mark.parametrize("name", ["", "a\x00b", "a\ud800b", "a" * 300])
def test_a_worker_takes_no_message_under_a_name_that_can_not_be_kept(name: str) -> None:
    message = SimpleNamespace(headers={"id": name, "task": "x"}, payload=[[], {}, {}])

    assert "'id'" in flaw(message)


def _fail(*_: object, **__: object) -> bool:
    raise RuntimeError
