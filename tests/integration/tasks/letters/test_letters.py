"""What is kept of a dead job, and that a death is written once, whole, whatever the job looks like."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import OperationalError
from django.test import override_settings
from django.utils import timezone

from tasks.enqueue.models import OutboxMessage
from tasks.failure.letter_models import DeadLetter, JobAttempt, Redrive
from tasks.failure.letters import attempt_write, letter_resolve, letter_write
from tasks.failure.remains import GENERATION, Cause, Remains
from tasks.failure.sealing import SealBroken, unseal
from tasks.signals import letter_arrived
from tests.concurrency import at_once
from tests.integration.tasks.letters import mortal
from tests.integration.tasks.uniqueness.deliveries import carry_out, deliver, request_of

pytestmark = pytest.mark.django_db(transaction=True)

CAUSE = Cause(reason=DeadLetter.Reason.ERROR, error_type="ValueError", error_message="no")


def remains(task_id: str = "job", *, generation: int = 0, **given: Any) -> Remains:
    """A message of `die`."""
    headers = {"id": task_id, "task": mortal.die.name, **({GENERATION: generation} if generation else {})}
    return Remains(**{"task_id": task_id, "name": mortal.die.name, "headers": headers, "body": "[[7], {}, {}]"} | given)


def test_a_letter_shows_no_secret_and_keeps_it_sealed() -> None:
    """Neither in its arguments, nor in what is shown of them, nor in what the error said."""
    job = mortal.die.enqueue(7, card="4000-0566", note="twice")
    assert carry_out(job) == "Permanent"
    letter = DeadLetter.objects.get(task_id=job)
    attempt = JobAttempt.objects.get(task_id=job)

    shown = json.dumps([letter.headers, letter.body, letter.error_message, attempt.error_message, attempt.traceback])
    assert "4000-0566" not in shown
    assert letter.error_message == "order 7: [redacted] was refused twice"
    assert json.loads(unseal(letter.sealed or b"")["body"])[1] == {"card": "4000-0566", "note": "twice"}


def test_a_seal_outlives_the_change_of_its_key_by_the_fallbacks() -> None:
    job = mortal.die.enqueue(7, card="4000-0566")
    with override_settings(SECRET_KEY="the old one"):
        carry_out(job)
    sealed = DeadLetter.objects.get().sealed or b""

    with override_settings(SECRET_KEY="the new one", SECRET_KEY_FALLBACKS=["the old one"]):
        assert "4000-0566" in unseal(sealed)["body"]
    with override_settings(SECRET_KEY="the new one"), pytest.raises(SealBroken, match="SECRET_KEY_FALLBACKS"):
        unseal(sealed)


def test_what_has_no_secret_is_not_sealed() -> None:
    """It can be read, exported and redriven without any key."""
    job = mortal.die.enqueue(7)
    carry_out(job)

    assert DeadLetter.objects.get().sealed is None


def test_a_death_that_two_notice_at_once_is_one_letter() -> None:
    """A child and its parent, say."""
    found = at_once(4, lambda: letter_write(remains(), CAUSE))

    assert [type(letter) for letter in found if letter is not None] == [DeadLetter]
    assert DeadLetter.objects.get().deaths == 1


def test_a_redriven_job_that_dies_again_opens_its_letter_again() -> None:
    """And a copy of the first message, that comes late, does not."""
    letter_write(remains(), CAUSE)
    letter = DeadLetter.objects.get()
    DeadLetter.objects.update(state="redriven")
    Redrive.objects.create(letter=letter, generation=1)

    assert letter_write(remains(), CAUSE) is None
    assert DeadLetter.objects.get().state == "redriven"
    assert letter_write(remains(generation=1), CAUSE) is not None
    again = DeadLetter.objects.get()
    assert (again.state, again.deaths, again.generation) == ("open", 2, 1)
    assert again.last_seen_at > again.first_seen_at
    assert Redrive.objects.get().outcome == "died"


def test_a_redriven_job_that_succeeds_resolves_its_letter() -> None:
    letter_write(remains(), CAUSE)
    Redrive.objects.create(letter=DeadLetter.objects.get(), generation=1)
    DeadLetter.objects.update(state="redriven")
    letter_resolve("job", 1)

    assert DeadLetter.objects.get().state == "resolved"
    assert Redrive.objects.get().outcome == "succeeded"


def test_what_dies_after_it_was_discarded_is_kept_again() -> None:
    """Rather seen twice than lost."""
    letter_write(remains(), CAUSE)
    DeadLetter.objects.update(state="discarded", closed_at=timezone.now(), closed_by="ada")

    assert letter_write(remains(), CAUSE) is not None
    letter = DeadLetter.objects.get()
    assert (letter.state, letter.closed_at, letter.closed_by) == ("open", None, "")


ODD: dict[str, Any] = {
    "NUL in a header": {"headers": {"id": "job", "x": "a\x00b"}},
    "half a character": {"headers": {"id": "job", "x": "\ud800"}},
    "no number": {"headers": {"id": "job", "x": float("nan")}},
    "long names": {"name": "n" * 1000, "queue": "q" * 1000, "exchange": "e" * 1000},
    "a long id": {"task_id": "i" * 1000},
    "no id": {"task_id": "", "headers": {}, "body": "", "raw": b"\x00\xff"},
    "other counts": {"headers": {"id": "job", "retries": "many", GENERATION: -1, "root_id": 7, "group": []}},
    "follows that are none": {"body": '[[], {}, {"chain": [1, "two", {}], "chord": 1}]'},
    "NUL in the arguments": {"body": '[["a\\u0000b"], {}, {}]'},
}


@pytest.mark.parametrize("what", ODD)
def test_whatever_a_message_looks_like_it_can_be_kept(what: str) -> None:
    """Or the death would be noticed again and again, and never written."""
    odd = Cause(
        reason=DeadLetter.Reason.ERROR, error_type="E" * 999, error_message="\x00\ud800" * 9999, traceback="\x00"
    )
    dead = remains(**ODD[what])

    assert letter_write(dead, odd) is not None
    attempt_write(dead, odd, JobAttempt.Outcome.FAILED, begun_at=None, worker="w" * 999)
    assert letter_write(dead, odd) is None


def test_a_letter_tells_of_its_arrival_within_its_transaction() -> None:
    """So what a receiver writes is written with it."""
    heard: list[DeadLetter] = []

    def hear(*, letter: DeadLetter, **_: object) -> None:
        heard.append(letter)

    letter_arrived.connect(hear)
    try:
        letter_write(remains(), CAUSE)
        letter_write(remains(), CAUSE)
    finally:
        letter_arrived.disconnect(hear)

    assert [letter.task_id for letter in heard] == ["job"]


def test_on_death_is_called_with_the_letter_and_the_arguments_by_name() -> None:
    job = mortal.die.enqueue(7, card="4000-0566")
    carry_out(job)

    [(letter, arguments)] = mortal.deaths
    assert letter.task_id == job
    assert arguments == {"order": 7, "card": "4000-0566", "note": ""}


def test_an_on_death_that_fails_keeps_neither_the_letter_nor_the_callbacks_from_being_written() -> None:
    def fail() -> None:
        OutboxMessage.objects.create(task_id="half", name="x", state="queued", due_at=timezone.now(), headers={},
                                     properties={}, body="", routing_key="default")  # fmt: skip
        raise LookupError("no such order")

    mortal.on_death["now"] = fail
    job = mortal.die.enqueue(7, link_error=mortal.undo.si(7))
    carry_out(job)

    assert DeadLetter.objects.get().note == "on_death failed: LookupError"
    assert OutboxMessage.objects.filter(name=mortal.undo.name).exists()
    assert not OutboxMessage.objects.filter(task_id="half").exists()


def test_a_death_that_cannot_be_written_is_no_death_yet() -> None:
    """The message goes back to the broker, and the job's row says that it has not ended."""

    def be_away() -> None:
        raise OperationalError("the connection is lost")

    mortal.on_death["now"] = be_away
    job = mortal.die.enqueue(7)
    assert carry_out(job) == "Reject"
    assert (DeadLetter.objects.count(), JobAttempt.objects.count()) == (0, 0)
    assert OutboxMessage.objects.get(task_id=job).state == "started"

    mortal.on_death.clear()
    assert carry_out(job) == "Permanent"
    assert DeadLetter.objects.count() == 1


def test_a_job_that_succeeds_leaves_nothing() -> None:
    """The way of most jobs costs no row."""
    job = mortal.live.enqueue(7)
    assert carry_out(job) == "returned"

    assert (DeadLetter.objects.count(), JobAttempt.objects.count()) == (0, 0)


def test_a_copy_of_a_dead_job_is_not_run() -> None:
    job = mortal.die.enqueue(7)
    copy = request_of(OutboxMessage.objects.get(task_id=job))
    carry_out(job)

    assert deliver(copy) == "Ignore"
    assert DeadLetter.objects.get().deaths == 1


def test_the_base_class_works_alone() -> None:
    """In a project that declares its tasks as Celery's."""
    request = {"id": "alone", "task": mortal.alone.name, "args": [], "kwargs": {"order": 7}, "called_directly": False}
    assert deliver(request) == "LookupError"

    letter = DeadLetter.objects.get()
    assert (letter.task_id, letter.reason, letter.error_message) == ("alone", "error", "no order 7")
