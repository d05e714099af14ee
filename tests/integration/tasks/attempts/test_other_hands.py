"""What an attempt does when its key is in other hands, or its effect somebody else's."""

from __future__ import annotations

from typing import Any

import pytest
from celery.exceptions import Ignore
from django.contrib.auth.models import Group

from tasks.errors import KeyConflict
from tasks.execution.models import LedgerEntry
from tests.integration.tasks.attempts.acts import (
    claim_of,
    elsewhere,
    follows,
    in_body,
    inside,
    lapse,
    never_again,
    outside,
    raising,
)
from tests.integration.tasks.attempts.delivering import deliver, job, states

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("calm")]


def test_a_holder_that_lost_its_claim_is_given_back_and_fails_nothing() -> None:
    """Even without a retry left: whoever has the key now brings the effect to its end."""

    def taken_over() -> None:
        lapse()
        assert claim_of("k").unknown

    in_body["now"] = elsewhere(taken_over)
    task_id = never_again.enqueue("k")

    assert isinstance(deliver(never_again, "k", task_id=task_id, **follows()), Ignore)
    assert job(task_id).state in {"scheduled", "queued"}, "it is due almost at once"
    assert job(task_id).retries == 0
    assert not states("attempts.mourn")
    assert not states("attempts.go_on")


def test_a_delivery_that_meets_another_is_given_back_uncounted_until_the_lease_is_over() -> None:
    task_id = outside.enqueue("k")
    met: list[Any] = []
    in_body["now"] = elsewhere(lambda: met.append(deliver(outside, "k", task_id=task_id)))
    deliver(outside, "k", task_id=task_id)

    assert isinstance(met[0], Ignore)
    assert (job(task_id).state, Group.objects.count()) == ("succeeded", 1)


@pytest.mark.parametrize("act", [inside, outside], ids=lambda act: act.name)
def test_a_job_whose_effect_another_brought_about_goes_on_with_its_result(act: Any) -> None:
    first, second = act.enqueue("k"), act.enqueue("k")

    assert deliver(act, "k", task_id=first, **follows()) == "result"
    in_body["now"] = raising(AssertionError("run twice"))
    assert deliver(act, "k", task_id=second, **follows()) == "result"
    assert states(act.name) == ["succeeded"] * 2
    assert states("attempts.go_on") == ["queued"] * 2


@pytest.mark.parametrize("act", [inside, outside], ids=lambda act: act.name)
def test_a_second_delivery_of_what_is_done_goes_on_with_nothing(act: Any) -> None:
    """Its next link was written with its effect. Here the job's own row is forgotten already."""
    deliver(act, "k", task_id="gone", **follows())
    in_body["now"] = raising(AssertionError("run twice"))

    assert deliver(act, "k", task_id="gone", **follows()) == "result"
    assert states("attempts.go_on") == ["queued"]


def test_other_arguments_under_a_key_fail_for_good() -> None:
    deliver(inside, "k", task_id="first")
    LedgerEntry.objects.update(fingerprint="of other arguments")
    task_id = inside.enqueue("k")

    assert isinstance(deliver(inside, "k", task_id=task_id, **follows()), KeyConflict)
    assert job(task_id).state == "dead"
    assert states("attempts.mourn") == ["queued"]
