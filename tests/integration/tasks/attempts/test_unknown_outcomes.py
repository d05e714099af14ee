"""What an attempt leaves when nobody can say what has happened, and what settles it."""

from __future__ import annotations

from typing import Any

import pytest
from celery.exceptions import Retry, SoftTimeLimitExceeded
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone

from tasks import OutcomeUnknown, Permanent, Settled, Transient
from tasks.enqueue.models import OutboxMessage
from tasks.errors import InvalidSettlement, ResultRefused
from tasks.execution.ledger import Claim
from tasks.execution.ledgers.postgres import PostgresLedger
from tasks.execution.models import LedgerEntry
from tests.integration.tasks.attempts.acts import (
    HOUR,
    claim_of,
    err_twice,
    follows,
    hook,
    in_body,
    inside,
    never_again,
    outside,
    raising,
)
from tests.integration.tasks.attempts.delivering import deliver, job, states

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("calm")]


@pytest.mark.parametrize("cut", [OutcomeUnknown("k"), SoftTimeLimitExceeded(), MemoryError()], ids=repr)
def test_a_body_that_was_cut_off_leaves_the_outcome_unknown_at_once(cut: Exception) -> None:
    in_body["now"] = raising(cut)
    deliver(outside, "k", task_id="one")

    answer = claim_of("k")
    assert isinstance(answer, Claim)
    assert answer.unknown


def test_any_other_error_gives_the_key_back() -> None:
    in_body["now"] = raising(Permanent("declined"))
    deliver(outside, "k", task_id="one")

    answer = claim_of("k")
    assert isinstance(answer, Claim)
    assert not answer.unknown


def test_a_body_that_can_not_tell_is_settled_by_the_next_attempt() -> None:
    """The provider's answer was lost: nobody runs the body again before the provider was asked."""
    task_id = outside.enqueue("k")
    in_body["now"] = raising(OutcomeUnknown("k"))
    assert isinstance(deliver(outside, "k", task_id=task_id), Retry)
    hook["now"] = lambda: Settled("found")

    assert deliver(outside, "k", task_id=task_id, retries=1, **follows()) == "found"
    assert (job(task_id).state, Group.objects.count()) == ("succeeded", 1)
    assert states("attempts.go_on") == ["queued"]


def test_what_has_not_happened_by_the_hooks_word_is_brought_about() -> None:
    in_body["now"] = raising(OutcomeUnknown("k"))
    deliver(outside, "k", task_id="one")
    in_body["now"] = lambda: "second"

    assert deliver(outside, "k", task_id="one", retries=1) == "second"


def test_a_hook_that_can_not_tell_yet_is_asked_again_and_the_body_waits() -> None:
    in_body["now"] = raising(OutcomeUnknown("k"))
    task_id = outside.enqueue("k")
    deliver(outside, "k", task_id=task_id)
    OutboxMessage.objects.update(retries=0)
    hook["now"] = raising(Transient("provider away"))

    assert isinstance(deliver(outside, "k", task_id=task_id), Retry)
    hook["now"] = lambda: Settled("found")
    assert deliver(outside, "k", task_id=task_id, retries=1) == "found"
    assert Group.objects.count() == 1


@pytest.mark.parametrize("answer", [True, {"id": 1}, "yes", False], ids=repr)
def test_a_hook_that_answers_neither_way_brings_nothing_about(answer: Any) -> None:
    """`True` was meant for 'it has happened'; taken for None it would charge again."""
    in_body["now"] = raising(OutcomeUnknown("k"))
    deliver(outside, "k", task_id="one")
    hook["now"] = lambda: answer

    assert isinstance(deliver(outside, "k", task_id="one", retries=1), InvalidSettlement)
    assert Group.objects.count() == 1
    assert claim_of("k").unknown


def test_without_a_hook_an_unknown_outcome_is_for_a_person_to_settle() -> None:
    in_body["now"] = raising(OutcomeUnknown("k"))
    task_id = never_again.enqueue("k")
    assert isinstance(deliver(never_again, "k", task_id=task_id), OutcomeUnknown)
    assert job(task_id).state == "dead"
    in_body["now"] = lambda: "result"

    for other in ("another", "a third"):
        assert isinstance(deliver(never_again, "k", task_id=other), OutcomeUnknown)
    assert Group.objects.count() == 1
    assert PostgresLedger().settle("k", Settled("by hand"))
    assert deliver(never_again, "k", task_id="again", **follows()) == "by hand"
    assert states("attempts.go_on") == ["queued"]


def test_a_task_that_would_rather_err_twice_is_run_again() -> None:
    in_body["now"] = raising(OutcomeUnknown("k"))
    assert isinstance(deliver(err_twice, "k", task_id="one"), Retry)
    in_body["now"] = lambda: "second"

    assert deliver(err_twice, "k", task_id="one", retries=1) == "second"


def test_what_is_unknown_from_before_is_not_run_as_a_database_effect() -> None:
    """The task was declared external when its worker vanished."""
    with transaction.atomic():
        deliver(inside, "k", task_id="before")
    LedgerEntry.objects.update(state="claimed", lease_until=timezone.now() - HOUR)

    assert isinstance(deliver(inside, "k", task_id="after"), OutcomeUnknown)
    assert Group.objects.count() == 1


def test_a_result_that_can_not_be_stored_fails_the_job_and_undoes_its_effect() -> None:
    in_body["now"] = object

    assert isinstance(deliver(inside, "k", task_id="one"), ResultRefused)
    assert not Group.objects.exists()
