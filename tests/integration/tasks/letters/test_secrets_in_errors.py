"""An error may quote a secret in any way: nothing that Celery logs or sends of it does, nor the job's row."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from billiard.einfo import ExceptionInfo
from celery import current_app
from celery.app.trace import build_tracer
from celery.exceptions import Retry

from tasks import Permanent
from tasks.enqueue.models import OutboxMessage
from tasks.failure.letter_models import DeadLetter, JobAttempt
from tasks.failure.readable import CUT
from tasks.signals import attempt_failed, job_finished
from tests.integration.tasks.letters import leaky, mortal
from tests.integration.tasks.main_process import Held
from tests.integration.tasks.uniqueness.deliveries import carry_out, sent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """All that was logged, whatever the project's own settings leave out."""
    for name in ("celery.app.trace", "tasks"):
        caplog.set_level(logging.INFO, name)
    return lambda: caplog.text


def traced(task_id: str) -> Any:
    """Let Celery's own tracer run the job, as a child does; what the child reports of it."""
    request = sent(task_id)
    name = request["task"]
    tracer = build_tracer(name, current_app.tasks[name], app=current_app)
    return tracer(task_id, request["args"], request["kwargs"], request).retval


def report_of(error: Exception) -> ExceptionInfo:
    try:
        raise error  # noqa: TRY301
    except Exception:  # noqa: BLE001
        return ExceptionInfo()


def events(monkeypatch: pytest.MonkeyPatch, message: Held, report: Any) -> str:
    """What the main process sends to those who listen when it hears of *report*."""
    heard: list[Any] = []
    monkeypatch.setattr(message.request, "send_event", lambda *args, **given: heard.append((args, given)))
    message.request.on_failure(report, return_ok=True)
    message.settle()
    return str(heard)


@pytest.mark.parametrize("way", leaky.WAYS)
def test_what_is_told_of_a_death_shows_no_secret(
    way: str, logged: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by the child nor by the main process, which has it from the child."""
    leaky.raised["now"] = leaky.WAYS[way]
    job = leaky.leak.enqueue(leaky.CARD)
    report = traced(job)
    told = events(monkeypatch, Held(job), report)

    assert "task-failed" in told
    assert leaky.CARD not in told + logged() + report.traceback
    assert "letters_test.leak" in logged()
    row, letter = OutboxMessage.objects.get(task_id=job), DeadLetter.objects.get()
    kept = [row.problem, letter.error_message]
    kept += JobAttempt.objects.values_list("error_message", flat=True)
    assert leaky.CARD not in str(kept)
    assert row.state == "dead"
    assert row.problem.startswith(letter.error_type)


@pytest.mark.parametrize("way", leaky.AGAIN)
def test_what_is_told_of_an_attempt_that_is_made_again_shows_no_secret(way: str, logged: Callable[[], str]) -> None:
    """Celery logs what a retry is for, and sends it in `task-retried`."""
    leaky.raised["now"] = leaky.AGAIN[way]
    report = traced(leaky.leak.enqueue(leaky.CARD))
    retry = report.exception.exc

    assert isinstance(retry, Retry)
    assert "[redacted]" in str(retry)
    assert leaky.CARD not in f"{retry} {retry.exc!r} {report.traceback} {logged()}"
    assert leaky.CARD not in JobAttempt.objects.get().traceback


def test_what_fails_on_the_way_to_the_body_is_sent_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `before_start` of somebody's: no attempt was made that could have blacked it out."""
    job = leaky.leak.enqueue(leaky.CARD)
    sent(job)
    told = events(monkeypatch, Held(job), report_of(LookupError(f"no card {leaky.CARD}")))

    assert "no card [redacted]" in told
    assert leaky.CARD not in told
    assert OutboxMessage.objects.get().problem == "LookupError: no card [redacted]"


def test_an_error_stays_what_it_is_where_its_texts_can_be_blacked_out() -> None:
    """Whoever listens may tell errors apart by their type, and reads a sentence."""
    heard: list[Exception] = []

    def hear(*, error: Exception, **_: object) -> None:
        heard.append(error)

    attempt_failed.connect(hear)
    try:
        for way in ("in an attribute", "in a slot"):
            leaky.raised["now"] = leaky.WAYS[way]
            carry_out(leaky.leak.enqueue(leaky.CARD))
    finally:
        attempt_failed.disconnect(hear)

    assert [type(error).__name__ for error in heard] == ["ByAttribute", "Withheld"]
    assert [str(error) for error in heard] == [
        "the bank refuses [redacted]",
        "BySlot: the bank refuses [redacted]",
    ]


def test_those_who_wait_for_a_jobs_end_are_told_no_secret() -> None:
    """As little as its row."""
    heard: list[str] = []

    def hear(*, problem: str, **_: object) -> None:
        heard.append(problem)

    job_finished.connect(hear)
    try:
        carry_out(mortal.die.enqueue(7, card=leaky.CARD))
    finally:
        job_finished.disconnect(hear)

    assert heard == ["Permanent: order 7: [redacted] was refused "]


def test_a_secret_is_blacked_out_before_a_text_is_cut() -> None:
    """Half of it would be left at the cut."""
    before = {"problem": 500 - len("Permanent: "), "message": 2_000 - len(CUT)}
    for where, length in before.items():
        padding = "x" * (length - 4)
        leaky.raised["now"] = lambda card, padding=padding: Permanent(padding + card + "x" * 2_000)  # type: ignore[misc]
        job = leaky.leak.enqueue(leaky.CARD)
        carry_out(job)
        shown = {
            "problem": OutboxMessage.objects.get(task_id=job).problem,
            "message": DeadLetter.objects.get(task_id=job).error_message,
        }
        assert leaky.CARD[:4] not in shown[where], where


def test_an_on_death_that_fails_logs_no_secret(logged: Callable[[], str]) -> None:
    """It is given the arguments as they are."""

    def fail() -> None:
        raise leaky.BySlot(mortal.deaths[-1][1]["card"])

    mortal.on_death["now"] = fail
    carry_out(mortal.die.enqueue(7, card=leaky.CARD))

    assert "on_death of letters_test.die" in logged()
    assert "the bank refuses [redacted]" in logged()
    assert leaky.CARD not in logged()
