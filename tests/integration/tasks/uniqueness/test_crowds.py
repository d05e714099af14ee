"""A hundred callers at once, in threads and in processes, write one job."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import OperationalError, transaction

from project.env import PROJECT_ROOT
from tasks import AlreadyEnqueued
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.unique_models import UniqueLock
from tests.concurrency import at_once
from tests.integration.tasks.uniqueness import sample_unique as sample
from tests.integration.tasks.uniqueness.deliveries import carry_out

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("runs")]
each = pytest.mark.parametrize("task", sample.ALL, ids=sample.name_of)
CROWD = 100

# A process of its own with ten threads, let go by a line on its standard input.
PROGRAM = """
import json, sys
import django
django.setup()
import project.celery
from tests.concurrency import at_once
from tests.integration.tasks.uniqueness import sample_unique
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps([str(told) for told in at_once(10, lambda: sample_unique.skip_until_finished.enqueue(1))]))
"""


def told(answer: Any) -> str:
    """The id of the job that a caller was told of."""
    return answer.owner if isinstance(answer, AlreadyEnqueued) else str(answer)


@each
def test_a_hundred_callers_at_once_write_one_job_and_are_told_of_it(task: Any) -> None:
    answers = at_once(CROWD, lambda: task.enqueue(1))

    job = OutboxMessage.objects.get()
    assert {told(answer) for answer in answers} == {job.task_id}
    assert sum(isinstance(answer, AlreadyEnqueued) for answer in answers) == (CROWD - 1) * (task is sample.refuse)
    assert UniqueLock.objects.get().owner == job.task_id


@each
def test_the_same_in_transactions_of_which_some_are_rolled_back(task: Any) -> None:
    """Whoever waits for one that is rolled back writes the job itself."""
    turn = iter(range(CROWD))

    def call() -> str:
        with transaction.atomic():
            rolled_back = next(turn) % 3 > 0
            try:
                job = told(task.enqueue(1))
            except AlreadyEnqueued as there:
                job = there.owner
            transaction.set_rollback(rolled_back)
        return "" if rolled_back else job

    answers = at_once(CROWD, call)

    job = OutboxMessage.objects.get()
    assert {told(answer) for answer in answers} == {job.task_id, ""}


def test_the_same_in_processes(process_environment: dict[str, str]) -> None:
    """Nothing of it is kept in a process's memory."""
    with ExitStack() as stack:
        crowd = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", PROGRAM],
                    cwd=PROJECT_ROOT,
                    env=process_environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(4)
        ]
        for process in crowd:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        answers = []
        for process in crowd:
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()
        for process in crowd:
            answers += json.loads(process.communicate(timeout=60)[0].splitlines()[-1])

    assert set(answers) == {OutboxMessage.objects.get().task_id}
    assert len(answers) == 40


@pytest.mark.parametrize("task", sample.SKIPPING[:2], ids=sample.name_of)
def test_callers_and_a_worker_at_once_leave_at_most_one_job_waiting(task: Any) -> None:
    """Each call either found one that was there, or wrote the next one; none is lost between the two."""
    for _ in range(20):
        job = task.enqueue(1)
        answers = each_once(partial(carry_out, job), *[partial(task.enqueue, 1)] * 3)

        assert not [answer for answer in answers if isinstance(answer, Exception)]
        waiting = OutboxMessage.objects.filter(finished_at=None)
        assert waiting.count() <= 1
        assert set(answers) <= {"returned", job, *waiting.values_list("task_id", flat=True)}
        OutboxMessage.objects.all().delete()
        UniqueLock.objects.all().delete()


def each_once(*calls: Callable[[], Any]) -> list[Any]:
    """Call each of them in a thread of its own, all let go together; return what they returned or raised."""
    turn = iter(calls)
    return at_once(len(calls), lambda: next(turn)())  # noqa: PLW0108 -- each thread takes one


def test_callers_of_several_jobs_in_opposite_orders_wait_for_each_other_no_longer_than_the_database_lets_them() -> None:
    """One of them is told, and its transaction is still its own: it may give the rest up, and commit what it has."""
    met = Barrier(2)

    def call(first: int, second: int) -> str:
        with transaction.atomic():
            sample.skip_until_finished.enqueue(first)
            met.wait(timeout=30)
            try:
                sample.skip_until_finished.enqueue(second)
            except OperationalError as error:
                return f"{error}; there are {OutboxMessage.objects.count()}"
        return "both are there"

    answers = each_once(partial(call, 1, 2), partial(call, 2, 1))

    assert any(answer.startswith("deadlock") and answer.endswith("there are 1") for answer in answers)
    assert "both are there" in answers
    assert OutboxMessage.objects.count() == 2
