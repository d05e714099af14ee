"""What was taken for dead runs on: a frozen worker thaws, before or after its job was redriven."""

from __future__ import annotations

import json
from typing import Any

import pytest
from celery import chain
from celery.exceptions import Ignore, Retry
from django.db import transaction

from tasks import Batch, Permanent, Transient
from tasks.enqueue.models import OutboxMessage
from tasks.errors import UnknownTask
from tasks.execution.batch import Progress
from tasks.execution.consumer import park_or_die
from tasks.execution.redrive import redrive
from tasks.failure.letter_models import DeadLetter
from tasks.failure.remains import of_row
from tests.integration.tasks.attempts.acts import elsewhere
from tests.integration.tasks.attempts.delivering import job, states
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import delivered, follow, sent, taken_for_dead

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_redrive_of_what_was_brought_about_late_goes_on_with_its_chain() -> None:
    """The effect is on record as this job's own; but it was dead then, so nothing that follows was written."""
    with Batch() as batch:
        batch.add(chain(dying.outside.si(1), follow.si("member")))
    task_id = OutboxMessage.objects.get().task_id
    dying.in_body["now"] = elsewhere(lambda: taken_for_dead(task_id).task_id)
    delivered(sent(task_id))
    assert (job(task_id).state, states(follow.name)) == ("dead", [])

    dying.in_body["now"] = lambda: pytest.fail("it ran again")
    redrive(DeadLetter.objects.get(), by="ada")
    delivered(sent(task_id))

    assert (job(task_id).state, DeadLetter.objects.get().state) == ("succeeded", "resolved")
    delivered(sent(OutboxMessage.objects.get(name=follow.name).task_id))
    assert Batch.progress(batch.id) == Progress(total=1, succeeded=1, dead=0)


def fail_after(task_id: str, error: Exception, **redriven: Any) -> None:
    """While the body runs, its job is taken for dead and redriven; then it fails."""
    redrive(taken_for_dead(task_id), by="ada", **redriven)
    raise error


@pytest.mark.parametrize("error", [Transient("later"), Permanent("never")], ids=repr)
def test_a_late_copy_that_fails_leaves_the_redrive_alone(error: Exception) -> None:
    """Its next attempt would have the old arguments, and would stand in the place of the redrive's."""
    task_id = dying.patient.enqueue(1)
    old = sent(task_id)
    dying.in_body["now"] = elsewhere(lambda: fail_after(task_id, error, arguments={"number": 2}))

    assert isinstance(delivered(old), Ignore | Retry)
    row = job(task_id)
    assert (row.state, row.retries, json.loads(row.body)[0], row.headers["tasks_generation"]) == ("queued", 0, [2], 1)
    dying.died(task_id)
    assert (DeadLetter.objects.get().state, DeadLetter.objects.get().deaths) == ("open", 2)


def test_a_late_copy_that_no_worker_knows_brings_no_old_arguments_back() -> None:
    """A worker of the release before parks it, in the job's own row."""
    task_id = dying.newest.enqueue(1, "old")
    old = of_row(sent(task_id))
    assert dying.newest.enqueue(1, "new") == task_id
    with transaction.atomic():
        park_or_die(old, UnknownTask("redrive.newest", ()))

    assert json.loads(job(task_id).body)[0] == [1, "new"]
