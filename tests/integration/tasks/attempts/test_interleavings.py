"""P4 as a property of whole attempts: deliveries, crashes, clock steps and zombies in any order, on real PostgreSQL.

Every attempt is the real one, with its outbox row, its retries and what follows it; only where it is interrupted is
the test's choice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from celery import uuid
from django.contrib.auth.models import Group
from django.db import connection
from django.test import override_settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from tasks import Permanent, ReliableTask, RetryPolicy, Settled, Transient, task
from tasks.enqueue.models import OutboxMessage
from tasks.errors import OutcomeUnknown
from tasks.execution.models import LedgerEntry
from tests.integration.tasks.attempts.stepped import CONNECTIONS, Delivery, current, pause, stepped

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "the-key"
LIMIT = timedelta(minutes=1)
STEP = timedelta(hours=1)
PLANS = ("work", "work", "work", "fail for now", "fail for good", "be cut off", "fail at the end")
RETRY = RetryPolicy.after(timedelta(0), timedelta(0))
LAST_STEP = 40
STEPS = st.sampled_from((1, 2, 4, 6, 8, LAST_STEP))
SETTINGS = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


class Provider:
    """Charges once for each key, and says so when it is asked."""

    def __init__(self) -> None:
        self.charges: dict[str, str] = {}

    def charge(self, key: str, by: str) -> str:
        return self.charges.setdefault(key, by)


provider = Provider()


def asked(key: str) -> Settled | None:
    """The reconcile hook."""
    pause()
    charge = provider.charges.get(key)
    return None if charge is None else Settled(charge)


@task(
    "interleaved.act_outside",
    time_limit=LIMIT,
    retry=RETRY,
    effect="external",
    once="{key}",
    reconcile=asked,
    bind=True,
)
def act_outside(self: Any, key: str) -> str:
    """Charge, or fail as the delivery's plan says."""
    plan = _plan()
    if plan.startswith("fail"):
        raise (Permanent if plan == "fail for good" else Transient)(plan)
    pause()
    charge = provider.charge(self.idempotency_key, str(self.request.id))
    pause()
    if plan == "be cut off":
        raise OutcomeUnknown(key)
    return charge


@task("interleaved.act_inside", time_limit=LIMIT, retry=RETRY, effect="database", once="{key}", bind=True)
def act_inside(self: Any, key: str) -> str:
    """Write a row, or fail as the delivery's plan says: at the end, when there is something to undo."""
    pause()
    Group.objects.create(name=uuid())
    pause()
    if (plan := _plan()) != "work":
        raise (Permanent if plan == "fail for good" else Transient)(plan)
    return str(self.request.id)


@task("interleaved.go_on", time_limit=LIMIT)
def go_on() -> None:
    """The next link; only its message is looked at."""


@task("interleaved.mourn", time_limit=LIMIT)
def mourn() -> None:
    """The error callback; only its message is looked at."""


def _plan() -> str:
    delivery = current()
    return delivery.plan if delivery else "work"


class Attempts(RuleBasedStateMachine):
    """Two jobs on one key, and any number of deliveries of each."""

    deliveries = Bundle("deliveries")

    def __init__(self, act: ReliableTask[..., Any]) -> None:
        super().__init__()
        self.act = act
        for model in (OutboxMessage, LedgerEntry, Group):
            model._default_manager.all().delete()
        provider.charges.clear()
        self.running: list[Delivery] = []
        self.links: dict[str, dict[str, Any]] = {}
        self.may_die: set[str] = set()
        self.jobs = [self.enqueue(), self.enqueue()]

    def enqueue(self) -> str:
        """A job, as the head of a chain with an error callback."""
        then = go_on.si()
        then.freeze()
        task_id = self.act.enqueue(KEY)
        self.links[task_id] = dict(then)
        return task_id

    @rule(target=deliveries, number=st.integers(0, 1), plan=st.sampled_from(PLANS), late=st.integers(0, 1), steps=STEPS)
    def deliver(self, number: int, plan: str, late: int, steps: int) -> Any:
        """The message of a job's present attempt, or a late copy of the one before, gets so far for now."""
        job = self.jobs[number]
        retries = OutboxMessage.objects.values_list("retries", flat=True).get(task_id=job)
        message = {
            "id": job,
            "args": (KEY,),
            "kwargs": {},
            "retries": max(0, retries - late),
            "chain": [self.links[job]],
            "errbacks": [dict(mourn.si().set(headers={"of": job}))],
            "called_directly": False,
        }
        delivery = Delivery(self.act, message, plan)
        self.running.append(delivery)
        self.may_die |= {job} if plan != "work" else set()
        self.proceed(delivery, steps)
        return delivery

    @rule(delivery=deliveries, steps=STEPS)
    def proceed(self, delivery: Delivery, steps: int) -> None:
        """It runs a little."""
        for _ in range(steps):
            delivery.step()

    @rule(delivery=consumes(deliveries))
    def crash(self, delivery: Delivery) -> None:
        """It never does anything again."""
        delivery.die()

    @rule()
    def let_time_pass(self) -> None:
        """Every lease is over, but for those whose rows are locked in a transaction."""
        with connection.cursor() as cursor:
            given: Any = [STEP, STEP]
            cursor.execute(
                "UPDATE tasks_ledger SET lease_until = lease_until - %s, expires_at = expires_at - %s WHERE key IN "
                "(SELECT key FROM tasks_ledger FOR UPDATE SKIP LOCKED)",
                given,
            )

    @invariant()
    def each_effect_happened_at_most_once(self) -> None:
        assert Group.objects.count() <= 1

    @invariant()
    def what_follows_a_job_agrees_with_its_end(self) -> None:
        """Its next link when it succeeded, its error callback when it died, each once, and never both."""
        rows = list(OutboxMessage.objects.all())
        links = {row.task_id for row in rows if row.name == go_on.name}
        mourned = Counter(row.headers["of"] for row in rows if row.name == mourn.name)
        for row in rows:
            if row.task_id in self.jobs:
                link = self.links[row.task_id]["options"]["task_id"]
                assert (link in links) == (row.state == "succeeded"), row
                assert mourned[row.task_id] == int(row.state == "dead"), row

    def teardown(self) -> None:
        """Whoever is left dies; then a clean delivery of each job that has not ended makes its effect exactly once."""
        for delivery in self.running:
            delivery.die()
        for number, task_id in enumerate(self.jobs):
            for _ in range(4):
                self.let_time_pass()
                if OutboxMessage.objects.get(task_id=task_id).finished_at is None:
                    self.deliver(number, "work", 0, LAST_STEP)
        ends = set(OutboxMessage.objects.filter(name=self.act.name).values_list("state", flat=True))
        dead = set(OutboxMessage.objects.filter(state="dead").values_list("task_id", flat=True))
        assert ends <= {"succeeded", "dead"}
        assert dead <= self.may_die, "a job was given up of which no attempt failed"
        entry = LedgerEntry.objects.filter(state="done").first()
        assert (entry is not None) == ("succeeded" in ends)
        if self.act is act_inside:
            assert Group.objects.count() == int("succeeded" in ends)
        elif entry is not None:
            assert entry.result == f'"{provider.charges[KEY]}"'
        self.what_follows_a_job_agrees_with_its_end()


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    """Waiting for a key that a paused delivery holds is waiting for nobody."""
    with override_settings(TASKS={"LEDGER_WAIT": timedelta(milliseconds=20), "RETRY_TIME_SCALE": 0.001}), stepped():
        yield
    CONNECTIONS.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("act", [act_outside, act_inside], ids=["external", "database"])
def test_any_interleaving_brings_each_effect_about_once(act: ReliableTask[..., Any]) -> None:
    machine: Any = partial(Attempts, act)
    run_state_machine_as_test(machine, settings=SETTINGS)
