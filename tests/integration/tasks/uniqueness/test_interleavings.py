"""Uniqueness as a property: callers, relays, workers, crashes, prunings and clock steps in any order, on PostgreSQL.

Each call, send, beginning and end is the real one; only the broker is a list, and where what is interrupted is the
test's choice.
"""

from __future__ import annotations

from collections import Counter
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
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tasks import AlreadyBegun, AlreadyEnqueued, JobStatus, Permanent, cancel, status
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.relay import Relay
from tasks.enqueue.sending import Outcome
from tasks.enqueue.unique_locks import locks_prune
from tasks.enqueue.unique_models import UniqueLock
from tasks.operation.reconciler import finished_prune
from tests.integration.tasks.uniqueness import sample_unique as sample
from tests.integration.tasks.uniqueness.deliveries import deliver, request_of
from tests.integration.tasks.uniqueness.threads import CONNECTIONS, Caller, Delivery, Died, impatient, pause

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]

USERS = (1, 2)
PLANS = (None, None, Permanent("never"), sample.TRANSIENT, Died(), "stay")
UNTIL_STARTED = (sample.skip_until_started, sample.replace, sample.debounce)
HAPPENINGS = (
    *["deliver"] * 4, *["call"] * 5, "finish", "finish", "relay", "clock", "clock",
    "cancel", "send again", "prune", "leave a lock behind",
)  # fmt: skip
FAILED = ("dead", "cancelled", "unsendable")
PAST = timedelta(days=-1)
SETTINGS = settings(
    max_examples=20,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


class ListRelay(Relay):
    """Sends to a list; may refuse, and may die between the broker's answer and its commit."""

    def __init__(self, broker: list[dict[str, Any]]) -> None:
        super().__init__(current_app)
        self.broker, self.fate = broker, ""

    def _hand_over(self, messages: Any) -> Outcome:
        if self.fate == "refused":
            return Outcome(refused=[(message.row, message.task_id, "refused") for message in messages])
        sent = [message.row for message in messages]
        self.broker += [request_of(row) for row in OutboxMessage.objects.filter(pk__in=sent)]
        if self.fate == "dies":
            raise DatabaseError("the relay died")
        return Outcome(sent=sent)


class Jobs(RuleBasedStateMachine):
    """Two users' jobs of one unique task.

    One rule that draws what happens: of many rules, hypothesis switches some off in each example, and most examples
    would get nothing done.
    """

    def __init__(self, task: Any, seen: Counter[str]) -> None:
        super().__init__()
        self.task, self.seen = task, seen
        self.broker: list[dict[str, Any]] = []
        self.open: dict[int, Caller] = {}
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

    @rule(
        what=st.sampled_from(HAPPENINGS),
        number=st.integers(0, 5),
        user=st.sampled_from(USERS),
        then=st.sampled_from(("commit", "commit", "", "roll back")),
        plan=st.sampled_from(PLANS),
    )
    def let_happen(self, what: str, number: int, user: int, then: str, plan: Any) -> None:
        """Whatever is drawn, with what it needs of the rest."""
        happenings: dict[str, Callable[[], None]] = {
            "call": lambda: self.call(number % 2, user, then),
            "deliver": lambda: self.deliver(number, plan),
            "finish": lambda: self.finish(number, plan),
            "relay": lambda: self.relay(("", "dies", "refused")[number % 3]),
            "clock": lambda: self.step_the_clock(sample.HOUR * (2 if number else -0.5)),
            "cancel": lambda: self.cancel(number),
            "send again": self.send_again,
            "prune": self.prune,
            "leave a lock behind": lambda: self.leave_a_lock_behind(number),
        }
        happenings[what]()

    def call(self, number: int, user: int, then: str) -> None:
        """One of two callers enqueues, in the transaction that it has open or opens, and may end it."""
        caller = self.open.get(number) or self.open.setdefault(number, Caller())
        self.calls += 1
        comment = str(self.calls)
        try:
            job = caller.call(lambda: self.task.enqueue(user, comment))
        except OperationalError:
            self.seen["somebody else is about to enqueue the same"] += 1
        except AlreadyEnqueued as error:
            self.seen["raised"] += 1
            if not self.may_raise(error):
                raise
        else:
            caller.calls.append((user, job, comment, self.clock))
        assert caller.call(OutboxMessage.objects.count) >= 0  # whatever came of it, the transaction is usable
        if then:
            self.end(number, commit=then == "commit")

    def may_raise(self, error: AlreadyEnqueued) -> bool:
        """Only a task that says so raises; and one that was to replace what has begun."""
        if isinstance(error, AlreadyBegun):
            return self.task is sample.replace_until_finished
        return self.task is sample.refuse

    def end(self, number: int, *, commit: bool) -> None:
        """Only now can anybody see what the caller wrote."""
        caller = self.open.pop(number)
        caller.end(commit=commit)
        for user, job, comment, at in caller.calls if commit else []:
            if job not in self.newest:
                self.took(user, job, at)
            else:
                self.seen["was told of a job that is there"] += 1
            if job not in self.newest or self.task in sample.REPLACING:
                self.newest[job] = comment

    def relay(self, fate: str) -> None:
        """Everything that is due goes to the broker, once or twice, or nowhere."""
        relay = ListRelay(self.broker)
        relay.fate = fate
        try:
            relay.promote_due()
            relay.send_batch()
        except DatabaseError:
            assert fate == "dies"

    def deliver(self, number: int, plan: Any) -> None:
        """Any of the last messages that were ever sent: the broker forgets nothing. It may stay in its body a while."""
        if self.task is sample.debounce:
            self.step_the_clock(2 * sample.HOUR)
        self.relay("")
        if not self.broker:
            return
        delivery = Delivery(self.broker[-1 - number % len(self.broker)])
        self.running.append(delivery)
        if plan != "stay":
            self.finish(len(self.running) - 1, plan)
        elif not delivery.outcome:
            self.seen["stays"] += 1

    def finish(self, number: int, plan: Any) -> None:
        """A worker in the middle of a body goes on."""
        if self.running:
            delivery = self.running.pop(number % len(self.running))
            delivery.finish(None if plan == "stay" else plan)
            self.seen[delivery.outcome] += 1

    def cancel(self, number: int) -> None:
        """One of the last."""
        rows = list(OutboxMessage.objects.order_by("-id").values_list("task_id", flat=True))
        if rows:
            self.unless_locked(partial(cancel, rows[number % len(rows)]))

    def send_again(self) -> None:
        """What a reconciler does to what has not ended."""
        self.unless_locked(lambda: OutboxMessage.objects.filter(state__in=["sent", "started"]).update(state="queued"))

    def prune(self) -> None:
        """Jobs that have ended are forgotten; so are their messages, which nobody would know any more."""
        ended = dict(OutboxMessage.objects.exclude(finished_at=None).values_list("task_id", "state"))
        if any(delivery.request["id"] in ended and not delivery.outcome for delivery in self.running):
            return
        self.ended.update(ended)
        self.broker[:] = [message for message in self.broker if message["id"] not in ended]
        self.unless_locked(partial(finished_prune, older_than=PAST))
        self.unless_locked(locks_prune)

    def leave_a_lock_behind(self, number: int) -> None:
        """A job has ended, and its lock is there: from a backup, or another version of the program."""
        live = set(OutboxMessage.objects.filter(finished_at=None).values_list("task_id", flat=True))
        former = [lock for owner, lock in self.locks.items() if owner not in live]
        if former:
            lock = former[-1 - number % len(former)]
            self.unless_locked(lambda: UniqueLock.objects.bulk_create([lock], ignore_conflicts=True))

    def step_the_clock(self, step: timedelta) -> None:
        """Forwards, what is scheduled is due and periods are over; backwards, both last longer."""
        if self.task is sample.skip_for_an_hour and self.open:
            return  # what they have taken can't be seen yet, nor moved

        def move() -> None:
            OutboxMessage.objects.update(due_at=F("due_at") - step)
            UniqueLock.objects.filter(until="period").update(expires_at=F("expires_at") - step)
            self.clock += step

        self.unless_locked(transaction.atomic(move))

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
            told = {job for caller in self.open.values() for job in caller.told}
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
        for number in list(self.open):
            self.end(number, commit=False)
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
    CONNECTIONS.close()
    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")


@pytest.mark.parametrize("task", sample.ALL, ids=sample.name_of)
def test_any_interleaving_leaves_at_most_one_live_job_and_no_lock_for_ever(task: Any) -> None:
    seen: Counter[str] = Counter()
    machine: Any = partial(Jobs, task, seen)
    run_state_machine_as_test(machine, settings=SETTINGS)

    # A machine that gets nothing done finds nothing.
    conflict = "raised" if task is sample.refuse else "was told of a job that is there"
    assert all(seen[what] for what in ("returned", "Ignore", conflict)), seen
