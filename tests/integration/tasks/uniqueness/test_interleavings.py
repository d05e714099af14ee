"""Uniqueness as a property: callers, relays, workers, crashes, prunings and clock steps in any order, on PostgreSQL.

Each call, send, beginning and end is the real one; only the broker is a list, and where what is interrupted is the
test's choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from celery import current_app
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import F
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from tasks import AlreadyBegun, AlreadyEnqueued, JobStatus, Permanent, cancel, status
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.relay import Relay
from tasks.enqueue.unique_locks import locks_prune
from tasks.enqueue.unique_models import UniqueLock
from tasks.operation.reconciler import finished_prune
from tests.integration.tasks.uniqueness import sample_unique as sample
from tests.integration.tasks.uniqueness.deliveries import deliver, request_of
from tests.integration.tasks.uniqueness.threads import Caller, Delivery, impatient, pause

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]

USERS = (1, 2)
PLANS = (None, None, Permanent("never"), sample.TRANSIENT)
UNTIL_STARTED = (sample.skip_until_started, sample.replace, sample.debounce)
FAILED = ("dead", "cancelled", "unsendable")
PAST = timedelta(days=-1)
SETTINGS = settings(
    max_examples=25,
    stateful_step_count=35,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


class ListRelay(Relay):
    """Sends to a list; may refuse, and may die between the broker's answer and its commit."""

    def __init__(self, broker: list[dict[str, Any]]) -> None:
        super().__init__(current_app)
        self.broker, self.fate = broker, ""

    def _hand_over(self, messages: Any) -> list[tuple[int, str, str]]:
        if self.fate == "refused":
            return [(message[0], message[1], "refused") for message in messages]
        self.broker += [request_of(row) for row in OutboxMessage.objects.filter(pk__in=[m[0] for m in messages])]
        if self.fate == "dies":
            raise DatabaseError("the relay died")
        return []


class Jobs(RuleBasedStateMachine):
    """Two users' jobs of one unique task."""

    callers = Bundle("callers")
    deliveries = Bundle("deliveries")

    def __init__(self, task: Any) -> None:
        super().__init__()
        self.task = task
        self.broker: list[dict[str, Any]] = []
        self.open: list[Caller] = []
        self.running: list[Delivery] = []
        self.newest: dict[str, str] = {}  # by job, the comment that was committed last
        self.ran: dict[str, str] = {}  # by job, the comment that its first run had
        self.locks: dict[str, UniqueLock] = {}  # by owner, as they were seen
        self.taken: dict[int, list[tuple[str, timedelta]]] = {}  # by user, jobs and when they were enqueued
        self.ended: dict[str, str] = {}  # states of jobs that have been pruned
        self.clock = timedelta(0)
        self.calls = 0
        OutboxMessage.objects.all().delete()
        UniqueLock.objects.all().delete()
        sample.during[:] = [self.note, pause]
        impatient()

    def note(self, task_id: str, comment: str) -> None:
        """Called in each body."""
        self.ran.setdefault(task_id, comment)

    @rule(target=callers)
    def open_a_transaction(self) -> Any:
        caller = Caller()
        self.open.append(caller)
        return caller

    @rule(caller=callers, user=st.sampled_from(USERS))
    def enqueue(self, caller: Caller, user: int) -> None:
        """Whatever comes of it, the caller's transaction goes on."""
        if not caller.is_open:
            return
        self.calls += 1
        comment = str(self.calls)
        try:
            job = caller.call(lambda: self.task.enqueue(user, comment))
        except OperationalError:
            pass  # somebody else is about to enqueue the same
        except AlreadyEnqueued as error:
            if not self.may_raise(error):
                raise
        else:
            caller.calls.append((user, job, comment, self.clock))
        assert caller.call(OutboxMessage.objects.count) >= 0

    def may_raise(self, error: AlreadyEnqueued) -> bool:
        """Only a task that says so raises; and one that was to replace what has begun."""
        if isinstance(error, AlreadyBegun):
            return self.task is sample.replace_until_finished
        return self.task is sample.refuse

    @rule(caller=consumes(callers), commit=st.booleans())
    def end_a_transaction(self, caller: Caller, commit: bool) -> None:
        """Only now can anybody see what it wrote."""
        caller.end(commit=commit)
        self.open.remove(caller)
        if commit:
            for user, job, comment, at in caller.calls:
                if job not in self.newest:
                    self.took(user, job, at)
                if job not in self.newest or self.task in sample.REPLACING:
                    self.newest[job] = comment

    @rule(fate=st.sampled_from(("", "", "", "dies", "refused")))
    def relay(self, fate: str) -> None:
        """Everything that is due goes to the broker, once or twice, or nowhere."""
        relay = ListRelay(self.broker)
        relay.fate = fate
        try:
            relay.promote_due()
            relay.send_batch()
        except DatabaseError:
            assert fate == "dies"

    @rule(target=deliveries, number=st.integers(0, 30))
    def deliver(self, number: int) -> Any:
        """Any message that was ever sent, at any time, as often as may be: the broker forgets nothing."""
        if not self.broker:
            return None
        delivery = Delivery(self.broker[number % len(self.broker)])
        self.running.append(delivery)
        return delivery

    @rule(delivery=consumes(deliveries), plan=st.sampled_from(PLANS))
    def finish(self, delivery: Delivery | None, plan: Exception | None) -> None:
        if delivery:
            delivery.finish(plan)

    @rule(delivery=consumes(deliveries))
    def crash(self, delivery: Delivery | None) -> None:
        """The worker never does anything again; its message may come once more."""
        if delivery:
            delivery.die()

    @rule(number=st.integers(0, 10))
    def cancel_one(self, number: int) -> None:
        """Of all there are."""
        rows = list(OutboxMessage.objects.order_by("id").values_list("task_id", flat=True))
        if rows:
            self.unless_locked(partial(cancel, rows[number % len(rows)]))

    @rule()
    def send_again(self) -> None:
        """What a reconciler does to what has not ended."""
        self.unless_locked(lambda: OutboxMessage.objects.filter(state__in=["sent", "started"]).update(state="queued"))

    @rule(step=st.sampled_from((2 * sample.HOUR, 2 * sample.HOUR, -sample.HOUR / 2)))
    def step_the_clock(self, step: timedelta) -> None:
        """Forwards, what is scheduled is due and periods are over; backwards, both last longer."""
        if self.task is sample.skip_for_an_hour and self.open:
            return  # what they have taken can't be seen yet, nor moved

        def move() -> None:
            OutboxMessage.objects.update(due_at=F("due_at") - step)
            UniqueLock.objects.filter(until="period").update(expires_at=F("expires_at") - step)
            self.clock += step

        self.unless_locked(transaction.atomic(move))

    @rule()
    def prune(self) -> None:
        """Jobs that have ended are forgotten; so are their messages, which nobody would know any more."""
        ended = dict(OutboxMessage.objects.exclude(finished_at=None).values_list("task_id", "state"))
        if any(delivery.request["id"] in ended and not delivery.outcome for delivery in self.running):
            return
        self.ended.update(ended)
        self.broker[:] = [message for message in self.broker if message["id"] not in ended]
        self.unless_locked(partial(finished_prune, older_than=PAST))
        self.unless_locked(locks_prune)

    @rule(number=st.integers(0, 10))
    def leave_a_lock_behind(self, number: int) -> None:
        """A job has ended, and its lock is there: from a backup, or another version of the program."""
        live = set(OutboxMessage.objects.filter(finished_at=None).values_list("task_id", flat=True))
        former = [lock for owner, lock in self.locks.items() if owner not in live]
        if former:
            lock = former[number % len(former)]
            self.unless_locked(lambda: UniqueLock.objects.bulk_create([lock], ignore_conflicts=True))

    @staticmethod
    def unless_locked(call: Callable[[], Any]) -> None:
        """Somebody's open transaction may be in the way."""
        try:
            call()
        except OperationalError as error:
            if "lock timeout" not in str(error) and "deadlock" not in str(error):
                raise

    @invariant()
    def there_is_at_most_one_live_job_of_each_kind(self) -> None:
        """As everybody but the open transactions sees it."""
        self.locks.update({lock.owner: lock for lock in UniqueLock.objects.all()})
        live = OutboxMessage.objects.filter(finished_at=None)
        if self.task is sample.skip_for_an_hour:
            return  # looked at where the job is committed
        if self.task in UNTIL_STARTED:
            live = live.filter(started_at=None)
        users = [request_of(row)["args"][0] for row in live]
        assert len(users) == len(set(users)), list(live.values())

    @invariant()
    def nobody_is_told_of_a_waiting_job_that_begins_before_they_commit(self) -> None:
        if self.task in UNTIL_STARTED:
            told = {job for caller in self.open for job in caller.told}
            assert not OutboxMessage.objects.filter(task_id__in=told).exclude(started_at=None).exists()

    @invariant()
    def each_job_ran_with_the_arguments_that_were_committed_last(self) -> None:
        assert self.ran.items() <= self.newest.items()

    def took(self, user: int, job: str, at: timedelta) -> None:
        """A job was committed: was the user's one before it over then, or had it failed?"""
        taken = self.taken.setdefault(user, [])
        if taken and self.task is sample.skip_for_an_hour:
            before, when = taken[-1]
            row = OutboxMessage.objects.filter(task_id=before).first()
            state = row.state if row else self.ended.get(before)
            assert at - when >= sample.HOUR or state in FAILED, (before, state)
        taken.append((job, at))

    def teardown(self) -> None:
        """Whatever was going on stops; then what is left is carried out, and after that nothing is held any more."""
        for caller in list(self.open):
            self.end_a_transaction(caller, commit=False)
        for delivery in self.running:
            delivery.die()
        sample.during[:] = [self.note]
        for _ in range(10):
            self.send_again()
            self.step_the_clock(2 * sample.HOUR)
            self.relay("")
            for message in list(self.broker):
                deliver(message)
        assert not OutboxMessage.objects.filter(finished_at=None).exists()
        self.each_job_ran_with_the_arguments_that_were_committed_last()
        for user in USERS:
            assert status(self.task.enqueue(user)) is JobStatus.QUEUED
        OutboxMessage.objects.filter(finished_at=None).update(state="dead", finished_at="2020-01-01T00:00Z")
        locks_prune()
        assert not UniqueLock.objects.exists()


@pytest.fixture(autouse=True)
def tidied() -> Iterator[None]:
    """Nothing of it is left for other tests."""
    yield
    sample.during.clear()
    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")


@pytest.mark.parametrize("task", sample.ALL, ids=sample.name_of)
def test_any_interleaving_leaves_at_most_one_live_job_and_no_lock_for_ever(task: Any) -> None:
    machine: Any = partial(Jobs, task)
    run_state_machine_as_test(machine, settings=SETTINGS)
