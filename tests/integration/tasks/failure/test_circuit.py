"""The circuit of a task with a budget, on the real database: what is run, what is held, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import Ignore, Retry
from django.db import connection
from django.db.models import F
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks import Permanent, RetryBudget, RetryPolicy, Transient, task
from tasks.enqueue.models import OutboxMessage
from tasks.failure import breaker, circuit_state
from tasks.failure.breaker import Breaker, Permit
from tasks.failure.circuit import circuit_change, circuit_close, circuit_look
from tasks.failure.circuit_models import Circuit
from tasks.failure.circuit_state import Standing, State
from tasks.signals import circuit_closed, circuit_opened
from tests.concurrency import at_once
from tests.integration.tasks.attempts.delivering import deliver, job

pytestmark = pytest.mark.django_db(transaction=True)

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
HEARD = 20 * SECOND
BUDGET = RetryBudget(least=4, pause=10 * SECOND, longest=40 * SECOND, probes=2)
NAME = "circuit.call_upstream"

in_body: dict[str, Callable[[], Any]] = {}


@task(NAME, time_limit=60 * SECOND, retry=RetryPolicy.after(SECOND), budget=BUDGET)
def call_upstream() -> Any:
    return in_body["now"]()


@task("circuit.hurried", time_limit=60 * SECOND, retry=RetryPolicy(max_retries=9, deadline=HOUR), budget=BUDGET)
def hurried() -> Any:
    return in_body["now"]()


@pytest.fixture(autouse=True)
def _unscaled(monkeypatch: pytest.MonkeyPatch) -> Any:
    """And no circuit opens before a test lets time pass, however long the machine takes for what it does before."""
    in_body["now"] = lambda: "result"
    monkeypatch.setattr(circuit_state, "HEARD", HEARD)
    with override_settings(TASKS={}):
        yield


def raising(error: Exception) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


def delivered(*, retries: int = 0, of: Any = call_upstream, **request: Any) -> tuple[Any, OutboxMessage]:
    """What Celery gets of one delivery of a new job, and its row after it."""
    task_id = of.enqueue()
    OutboxMessage.objects.filter(task_id=task_id).update(state="sent", retries=retries)
    return deliver(of, task_id=task_id, retries=retries, **request), job(task_id)


def let_time_pass(span: timedelta) -> None:
    """For the circuit and for this process: as if so long had gone by since everything that is on record."""
    for field in ("half_began_at", "watched_since_at", "opened_at", "until_at"):
        Circuit.objects.update(**{field: F(field) - span})
    breaker._breakers.clear()


def open_circuit(name: str = NAME) -> None:
    """Let it be open since now, with its pause before it."""

    def change(standing: Standing, now: Any) -> Standing:
        return Standing(
            state=State.OPEN, round=7, half_began_at=now, opened_at=now, until_at=now + BUDGET.pause, failed=4
        )

    circuit_change(name, change)
    breaker._breakers.clear()


def state() -> str:
    return Circuit.objects.get(pk=NAME).state


def test_a_healthy_task_pays_no_statement_a_job() -> None:
    """It asks once a second; what it counts it keeps to itself while nothing fails."""
    now = [0.0]
    breaker._breakers[NAME] = Breaker(NAME, BUDGET, monotonic=lambda: now[0])
    delivered()
    with CaptureQueriesContext(connection) as queries:
        for _ in range(2):
            now[0] += circuit_state.LOOK_EVERY.total_seconds()
            for _ in range(10):
                delivered()

    asked = [query["sql"] for query in queries if "tasks_circuit" in query["sql"]]
    assert len(asked) == 2
    assert not Circuit.objects.exists()


def test_an_outage_opens_it_and_jobs_are_held_uncounted() -> None:
    """Neither run nor retried: put back into the outbox, due when the pause is over."""
    in_body["now"] = raising(Transient("away"))
    for _ in range(4):
        answer, row = delivered()
        assert (type(answer), row.retries) == (Retry, 1)
    let_time_pass(HEARD)

    began = timezone.now()
    answer, row = delivered(retries=1)  # its last attempt; it finds that the circuit is open now
    assert (type(answer), row.state, row.retries) == (Ignore, "scheduled", 1)
    in_body["now"] = raising(AssertionError("it ran"))
    answer, row = delivered()
    assert (type(answer), row.state, row.retries, row.finished_at) == (Ignore, "scheduled", 0, None)
    assert began + BUDGET.pause <= row.due_at < timezone.now() + 2 * BUDGET.pause
    assert state() == "open"


def test_successes_elsewhere_are_heard_before_it_opens() -> None:
    """Other processes tell what they counted as soon as something fails somewhere."""
    elsewhere = Breaker(NAME, BUDGET)
    for _ in range(50):
        permit = elsewhere.admit()
        assert isinstance(permit, Permit)
        permit.succeeded()
    in_body["now"] = raising(Transient("away"))
    for _ in range(6):
        delivered()
    elsewhere._looked = float("-inf")  # a second later
    elsewhere.admit()
    let_time_pass(HEARD)
    delivered()

    found = circuit_look(NAME)
    assert found is not None
    assert (found.state, found.attempts, found.failures) == (State.CLOSED, 57, 7)


def test_after_the_pause_probes_run_and_their_success_closes_it() -> None:
    """The first jobs to come find out; the signal tells how long it was open."""
    heard: list[Any] = []

    def hear(**facts: Any) -> None:
        heard.append((facts["name"], facts["opened_at"] is not None))

    circuit_closed.connect(hear)
    open_circuit()
    let_time_pass(BUDGET.pause)
    try:
        assert [delivered()[0] for _ in range(2)] == ["result", "result"]
    finally:
        circuit_closed.disconnect(hear)
    assert (state(), heard) == ("closed", [(NAME, True)])


def test_a_probe_that_fails_opens_it_again_for_longer_and_is_not_counted() -> None:
    """It stood in for all: its own retries are not spent on finding out."""
    open_circuit()
    let_time_pass(BUDGET.pause)
    in_body["now"] = raising(Transient("still away"))

    began = timezone.now()
    answer, row = delivered(retries=1)
    assert (type(answer), row.state, row.retries) == (Ignore, "scheduled", 1)
    found = Circuit.objects.get(pk=NAME)
    assert (found.state, found.pauses) == ("open", 1)
    assert began + 2 * BUDGET.pause <= row.due_at < timezone.now() + 4 * BUDGET.pause


@pytest.mark.parametrize(("error", "failures"), [(Permanent("declined"), 0), (ValueError("a bug"), 1)])
def test_what_counts_as_a_failure(error: Exception, failures: int) -> None:
    """A declined card says nothing about the upstream; a bug that fails every job is worth holding them back for."""
    in_body["now"] = raising(Transient("away"))
    delivered()
    in_body["now"] = raising(error)
    delivered()
    let_time_pass(2 * SECOND)
    delivered()

    found = circuit_look(NAME)
    assert found is not None
    assert found.failures == 1 + 2 * failures


def test_of_many_that_ask_at_once_as_many_as_declared_are_probes() -> None:
    """The row's lock decides, whatever each process believed."""
    open_circuit()
    let_time_pass(BUDGET.pause)

    answers = at_once(8, lambda: Breaker(NAME, BUDGET).admit())

    assert sum(isinstance(answer, Permit) for answer in answers) == BUDGET.probes
    assert not any(isinstance(answer, Exception) for answer in answers)


def test_of_many_that_fail_at_once_all_are_counted_and_one_opens_it() -> None:
    """The signal is sent once; a receiver that raises harms nobody."""
    heard: list[str] = []

    def hear(*, name: str, **_: Any) -> None:
        heard.append(name)
        raise RuntimeError("a receiver's bug")

    circuit_opened.connect(hear)
    try:
        at_once(6, lambda: Breaker(NAME, BUDGET).failed(None))
        let_time_pass(HEARD)
        answers = at_once(6, lambda: Breaker(NAME, BUDGET).failed(None))
    finally:
        circuit_opened.disconnect(hear)
    found = circuit_look(NAME)
    assert found is not None
    assert (found.state, found.failures, heard) == (State.OPEN, 7, [NAME])
    assert all(answer is not None for answer in answers)


def test_a_deadline_wins_over_an_open_circuit() -> None:
    """Who says that a job is pointless after an hour doesn't want it to wait for two; it ends dead, and is kept."""
    open_circuit("circuit.hurried")
    let_time_pass(BUDGET.pause)
    in_body["now"] = raising(Transient("away"))
    long_ago = (timezone.now() - HOUR).isoformat()

    answer, row = delivered(of=hurried, tasks_first_began_at=long_ago)

    assert (str(answer), row.state) == ("away", "dead")


def test_closing_by_hand_lets_everything_through() -> None:
    """Somebody knows that the upstream is back, and doesn't want to wait for the probes."""
    open_circuit()

    assert circuit_close(NAME)
    assert delivered()[0] == "result"
    assert not circuit_close(NAME)
    assert not circuit_close("circuit.unheard_of")
