"""Every way to die that one job has: each leaves one letter, and the worker goes on. All in one worker's life."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from celery import chain, current_app
from django.utils import timezone
from kombu import Connection, Producer

from tasks import JobStatus, status
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.outbox import enqueue
from tasks.execution.batch_models import Batch
from tasks.failure.letter_models import DeadLetter
from tests.e2e.letters import dying
from tests.e2e.letters.conftest import Stage
from tests.e2e.letters.dying import gone_through

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def unharmed(stage: Stage) -> Any:
    """After each test the worker is the one that it was, and holds no message."""
    before = stage.main_process.create_time()
    yield
    assert stage.main_process.create_time() == before
    stage.until(stage.nothing_held, "a message was never acknowledged")


def test_a_permanent_error(stage: Stage) -> None:
    """1. Kept whole: secrets blacked out, the rest of the chain and the callbacks with it, the hook called."""
    diary = stage.diary("permanent")
    steps = chain(dying.fail_permanently.si(diary, pin="90210-x"), dying.take_note.si(diary, "never")).on_error(
        dying.take_note.si(diary, "error callback")
    )
    last = enqueue(steps)
    head = OutboxMessage.objects.get(name=dying.fail_permanently.name).task_id
    letter = stage.letter(head)

    assert (letter.reason, letter.error_type, letter.state) == ("permanent", "Permanent", "open")
    assert letter.queue == "default"
    assert letter.culprit == "tests.e2e.letters.dying:fail_permanently"
    args, kwargs, follows = json.loads(letter.body)
    assert (args, kwargs) == ([diary], {"pin": "[redacted]"})
    assert follows["chain"][0]["options"]["task_id"] == last
    assert follows["errbacks"][0]["args"] == [diary, "error callback"]
    assert stage.attempts(head) == [("failed", "Permanent")]
    assert "90210" not in json.dumps([letter.headers, letter.error_message, letter.body])
    assert "90210" not in stage.worker.log.read_text()
    stage.until(lambda: sorted(gone_through(diary)) == ["error callback", f"on_death {head}"])
    assert status(head) is JobStatus.DEAD


def test_retries_exhausted(stage: Stage) -> None:
    """2. Every attempt is on record."""
    job = dying.fail_again_and_again.enqueue()
    letter = stage.letter(job)

    assert (letter.reason, letter.error_message, letter.retries) == ("exhausted", "the provider is away", 2)
    assert stage.attempts(job) == [("retried", "Transient")] * 2 + [("failed", "Transient")]


def test_an_unforeseen_error(stage: Stage) -> None:
    """3. By the task's policy it is not tried again."""
    job = dying.divide.delay(0).id  # straight to the broker: it has no row, and gets its letter all the same
    letter = stage.letter(job)

    assert (letter.reason, letter.error_type) == ("error", "ZeroDivisionError")
    assert "return 1 / by" in letter_traceback(job)


def test_two_of_the_same_cause_have_one_fingerprint(stage: Stage) -> None:
    """So that ten thousand of them are one line on a page."""
    first, second = (stage.letter(dying.divide.enqueue(by=0)) for _ in range(2))

    assert first.fingerprint == second.fingerprint


def test_a_soft_time_limit(stage: Stage) -> None:
    """4."""
    assert stage.letter(dying.take_too_long.enqueue()).reason == "soft_limit"


def test_a_hard_time_limit(stage: Stage) -> None:
    """5. The parent kills the child, and tells."""
    job = dying.take_too_long_and_not_listen.enqueue()
    letter = stage.letter(job)

    assert (letter.reason, letter.error_type) == ("hard_limit", "TimeLimitExceeded")
    assert status(job) is JobStatus.DEAD
    assert stage.attempts(job) == [("failed", "TimeLimitExceeded")]


@pytest.mark.parametrize(("way", "by"), [("enqueue", "signal"), ("delay", "exit")])
def test_a_job_that_kills_its_child(stage: Stage, way: str, by: str) -> None:
    """6. Three times and no more, whether or not it came through the outbox."""
    diary = stage.diary(f"child-{by}-{way}")
    job = getattr(dying.kill_the_child, way)(diary, by)
    letter = stage.letter(str(job))

    assert letter.reason == "child_lost"
    assert stage.attempts(str(job)) == [("died", "WorkerLostError")] * 3
    stage.until(lambda: len(gone_through(diary)) == 4)
    assert gone_through(diary)[-1] == f"on_death {job}"


def test_an_unregistered_name(stage: Stage) -> None:
    """8. Parked for a deploy's time, then dead."""
    job = str(current_app.send_task("dying.of_tomorrow", args=[1], queue="default").id)
    letter = stage.letter(job)

    assert (letter.reason, letter.name, json.loads(letter.body)[0]) == ("unknown_task", "dying.of_tomorrow", [1])
    assert letter.headers["tasks_parked"] == 3
    assert status(job) is JobStatus.DEAD


@pytest.mark.parametrize("arguments", [{"args": [1, 2, 3]}, {"kwargs": {"ny": 1}}])
def test_wrong_arguments(stage: Stage, arguments: dict[str, Any]) -> None:
    """9. From a program that publishes by name."""
    job = str(current_app.send_task("dying.unforeseen", queue="default", **arguments).id)

    assert stage.letter(job).reason == "wrong_arguments"


BODIES = {
    "text that is no JSON": (b"{not json", "application/json", "utf-8"),
    "bytes that are no text": (b"\xff\xfe\x00", "application/json", "utf-8"),
    "a content type that isn't accepted": (b"\x80\x04N.", "application/x-python-serialize", "binary"),
    "JSON that is no task's": (b'"hello"', "application/json", "utf-8"),
    "a body of two": (b"[[], {}]", "application/json", "utf-8"),
    "arguments that are no mapping": (b"[[], [], {}]", "application/json", "utf-8"),
}


@pytest.mark.parametrize("what", BODIES)
def test_a_body_that_cannot_be_read(stage: Stage, what: str) -> None:
    """10. Its bytes are kept."""
    body, content_type, encoding = BODIES[what]
    job = f"unreadable: {what}"
    publish(body, content_type, encoding, {"id": job, "task": "dying.unforeseen"})
    letter = stage.letter(job)

    assert (letter.reason, letter.name, bytes(letter.raw or b"")) == ("undecodable", "dying.unforeseen", body)


@pytest.mark.parametrize("headers", [{}, {"id": "no task"}, {"task": "dying.unforeseen"}, {"id": 7, "task": "x.y"}])
def test_a_message_that_is_no_task(stage: Stage, headers: dict[str, Any]) -> None:
    """10. Without an id it gets one, the same each time that it comes."""
    mark = json.dumps([[str(headers)], {}, {}]).encode()
    publish(mark, "application/json", "utf-8", headers)
    stage.until(lambda: DeadLetter.objects.filter(raw=mark).exists() or DeadLetter.objects.filter(body=mark.decode()))


def test_an_eta_that_is_none(stage: Stage) -> None:
    """10. Celery refuses it before the task is asked."""
    publish(b"[[0], {}, {}]", "application/json", "utf-8", {"id": "eta", "task": "dying.unforeseen", "eta": "soon"})

    assert stage.letter("eta").reason == "undecodable"


def test_an_expired_job(stage: Stage) -> None:
    """11. The job is dead, and its error callback is called."""
    diary = stage.diary("expired")
    job = dying.be_late.enqueue(
        diary, expires=timezone.now() - timedelta(seconds=1), link_error=dying.tell.s(diary, "expired")
    )

    assert stage.letter(job).reason == "expired"
    stage.until(lambda: gone_through(diary) == [f"expired {job}"])
    assert status(job) is JobStatus.DEAD


def test_a_revoked_job(stage: Stage) -> None:
    """12. Kept where the task asks for it; given up without a trace where not."""
    kept, unkept = dying.be_revoked.enqueue(countdown=3600), dying.be_revoked_unkept.enqueue(countdown=3600)
    stage.until(lambda: current_app.control.revoke([kept, unkept], reply=True, timeout=2, limit=1))
    OutboxMessage.objects.filter(task_id__in=[kept, unkept]).update(due_at=timezone.now())

    assert stage.letter(kept).reason == "revoked"
    stage.until(lambda: status(unkept) is JobStatus.CANCELLED)
    assert not DeadLetter.objects.filter(task_id=unkept).exists()


def test_a_rejected_message(stage: Stage) -> None:
    """13."""
    job = dying.reject.enqueue()

    assert stage.letter(job).reason == "rejected"
    assert status(job) is JobStatus.DEAD


def test_a_job_that_the_broker_refuses(stage: Stage) -> None:
    """14. The relay sets it aside, and its error callbacks are called."""
    diary = stage.diary("unsendable")
    job = dying.be_late.enqueue(diary, countdown=3600, link_error=dying.tell.s(diary, "unsendable"))
    refused = {"routing_key": "twice"}
    OutboxMessage.objects.filter(task_id=job).update(due_at=timezone.now(), properties=refused)

    assert stage.letter(job).reason == "unsendable"
    stage.until(lambda: gone_through(diary) == [f"unsendable {job}"])


def test_a_member_of_a_batch(stage: Stage) -> None:
    """15. Its letter knows of what it was a member, though it is not the last link of its chain."""
    diary = stage.diary("batch")
    dying.start_a_batch.enqueue(diary)
    stage.until(lambda: "death" in gone_through(diary))
    stage.until(lambda: Batch.objects.get().succeeded == 1, "the other member has not ended")
    batch = Batch.objects.get()
    letter = DeadLetter.objects.get(batch_id=batch.id)

    assert (letter.reason, letter.name) == ("error", dying.divide.name)
    assert (batch.succeeded, batch.dead) == (1, 1)


def test_an_unknown_outcome(stage: Stage) -> None:
    """16. Somebody has acted and vanished, and nobody can say whether it took effect."""
    job = dying.act_and_vanish.enqueue(stage.diary("outcome"))
    letter = stage.letter(job)

    assert (letter.reason, letter.idempotency_key) == ("outcome_unknown", f"dying:{stage.diary('outcome')}")
    assert [outcome for outcome, _ in stage.attempts(job)] == ["died", "failed"]


def test_a_memory_error_does_not_end_the_worker(stage: Stage) -> None:
    """With Celery's own it does, and the message comes again."""
    assert stage.letter(dying.want_too_much.enqueue()).error_type == "MemoryError"


def publish(body: bytes, content_type: str, encoding: str, headers: dict[str, Any]) -> None:
    """Publish a message as a foreign program might."""
    with Connection(current_app.conf.broker_url) as connection:
        Producer(connection).publish(
            body, routing_key="default", content_type=content_type, content_encoding=encoding, headers=headers
        )


def letter_traceback(job: str) -> str:
    """Of its last attempt."""
    from tasks.failure.letter_models import JobAttempt

    return JobAttempt.objects.filter(task_id=job).latest("id").traceback
