"""A redriven job is the same job: its id, its key and what follows it; and two redrives are one."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from celery.exceptions import Ignore
from django.contrib.auth.models import Group
from django.utils import timezone

from tasks import JobStatus, status
from tasks.enqueue.models import OutboxMessage
from tasks.errors import RedriveRefused
from tasks.execution.models import LedgerEntry
from tasks.execution.redrive import redrive
from tasks.failure.letter_models import DeadLetter, Redrive
from tests.concurrency import at_once
from tests.integration.tasks.attempts.delivering import job
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import dead, dead_in_chain, delivered, sent

pytestmark = pytest.mark.django_db(transaction=True)


def state(letter: DeadLetter) -> tuple[str, list[str]]:
    """The letter's, and how its redrives ended."""
    letter.refresh_from_db()
    return letter.state, list(letter.redrives.order_by("generation").values_list("outcome", flat=True))


def test_it_goes_on_from_where_it_died_with_the_ids_that_were_frozen() -> None:
    """The next link of its chain has the id that it had when the chain was made, and so runs once whoever redrives."""
    letter = dead_in_chain(1)
    frozen = OutboxMessage.objects.get().body
    redrive(letter, by="ada")
    again = sent(letter.task_id)

    assert (again.retries, again.finished_at, again.started_at, again.body) == (0, None, None, frozen)
    assert state(letter) == ("redriven", ["pending"])
    assert delivered(again) == "result"
    assert state(letter) == ("resolved", ["succeeded"])
    assert status(letter.task_id) is JobStatus.SUCCEEDED
    follower = OutboxMessage.objects.get(name="redrive.follow")
    assert follower.task_id in frozen
    assert (follower.headers["root_id"], follower.headers["parent_id"]) == (letter.root_id, letter.task_id)


def test_a_letter_knows_its_redrives_and_how_they_ended() -> None:
    """It dies once more, is redriven once more, by somebody else, and succeeds."""
    letter = dead(dying.plain, 1)
    redrive(letter, by="ada")
    dying.died(letter.task_id)
    assert state(letter) == ("open", ["died"])
    assert letter.deaths == 2

    redrive(letter, by="bob")
    delivered(sent(letter.task_id))
    assert state(letter) == ("resolved", ["died", "succeeded"])
    assert list(Redrive.objects.order_by("generation").values_list("generation", "asked_by")) == [
        (1, "ada"),
        (2, "bob"),
    ]


def test_redriving_twice_at_once_runs_once() -> None:
    """Two people look at the same letter. The second is told that it has been done."""
    letter = dead(dying.plain, 1)

    answers = at_once(5, lambda: redrive(letter, by="somebody"))

    assert sorted(type(answer).__name__ for answer in answers) == ["NoneType"] + ["RedriveRefused"] * 4
    assert {str(answer) for answer in answers if answer} == {f"{letter.task_id} can't be redriven: it is redriven"}
    assert Redrive.objects.count() == 1


def test_a_late_copy_of_what_was_sent_before_does_not_run_beside_it() -> None:
    """The broker may still have the message that was taken for dead."""
    task_id = dying.plain.enqueue(1)
    late = sent(task_id)
    letter = dying.died(task_id)
    redrive(letter, by="ada")
    again = sent(task_id)
    dying.in_body["now"] = lambda: pytest.fail("it ran")

    assert isinstance(delivered(late), Ignore)
    dying.in_body["now"] = lambda: "result"
    assert delivered(again) == "result"
    assert isinstance(delivered(again), Ignore)
    assert state(letter) == ("resolved", ["succeeded"])


def test_it_keeps_its_idempotency_key() -> None:
    """The effect that did not happen happens once, under the key that it had; a second redriven job finds it done."""
    letter = dead(dying.once, 7)
    other = dying.once.enqueue(7)
    assert letter.idempotency_key == "redrive:7"
    delivered(sent(other))
    redrive(letter, by="ada")

    assert delivered(sent(letter.task_id)) == "result"
    assert Group.objects.filter(name="effect 7").count() == 1
    assert LedgerEntry.objects.get().key == "redrive:7"
    assert state(letter) == ("resolved", ["succeeded"])


def test_a_job_whose_row_is_gone_gets_a_new_one() -> None:
    """It was pruned, or the job never had one: `.delay()` makes none."""
    letter = dead(dying.plain, 1)
    OutboxMessage.objects.all().delete()
    redrive(letter, by="ada")

    assert delivered(sent(letter.task_id)) == "result"
    assert state(letter) == ("resolved", ["succeeded"])


def test_what_expired_or_is_past_its_deadline_gets_all_the_time_it_needs() -> None:
    """Else it would die again at once, whatever was put right."""
    letter = dead(dying.plain, 1)
    passed = (timezone.now() - timedelta(days=1)).isoformat()
    headers = {**letter.headers, "expires": passed, "tasks_first_began_at": passed, "retries": 5}
    DeadLetter.objects.update(headers=headers)
    redrive(letter, by="ada")

    found = job(letter.task_id).headers
    assert (found["expires"], found["retries"], "tasks_first_began_at" in found) == (None, 0, False)


def test_a_dry_run_changes_nothing() -> None:
    """And says no where the redrive would say no."""
    letter = dead(dying.hooked, 1)
    redrive(letter, by="ada", dry_run=True)
    assert state(letter) == ("open", [])
    assert job(letter.task_id).state == "dead"
    assert not Group.objects.exists()

    with pytest.raises(RedriveRefused, match="ValueError: nothing left to take up"):
        redrive(dead(dying.hooked, -1), by="ada", dry_run=True)


def test_the_tasks_hook_puts_right_what_its_death_has_undone_or_refuses() -> None:
    """In the redrive's transaction: what it wrote goes with a refusal."""
    redrive(dead(dying.hooked, 3), by="ada")
    with pytest.raises(RedriveRefused, match="nothing left to take up"):
        redrive(refused := dead(dying.hooked, -3), by="ada")

    assert [found["number"] for found in dying.redriven] == [3, -3]
    assert list(Group.objects.values_list("name", flat=True)) == ["taken up 3"]
    assert state(refused) == ("open", [])


def test_a_unique_job_takes_its_lock_again_or_is_refused() -> None:
    """While another one stands for its kind, two of them would run."""
    letter = dead(dying.alone, 1)
    other = dying.alone.enqueue(1)
    with pytest.raises(RedriveRefused, match=f"{other} stands for its kind now"):
        redrive(letter, by="ada")

    delivered(sent(other))
    redrive(letter, by="ada")
    assert dying.alone.enqueue(1) == letter.task_id


def test_what_json_has_no_form_for_is_what_it_was_to_all_that_a_redrive_asks() -> None:
    """A date is a date to the lock of its kind, and to `on_redrive`."""
    day = date(2030, 1, 2)
    letter = dead(dying.dated, day, 1)
    redrive(letter, by="ada")

    assert dying.redriven == [{"letter": letter.task_id, "day": day, "number": 1}]
    assert dying.dated.enqueue(day, 1) == letter.task_id
    assert dying.dated.enqueue(day + timedelta(days=1), 1) != letter.task_id


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "redrive.renamed"}, "no task is registered as 'redrive.renamed'"),
        ({"raw": b"\xff", "body": ""}, "its message can't be read"),
        ({"body": '[["x", "y", "z"], {}, {}]'}, "the task doesn't take its arguments"),
        ({"body": '[[], {"number": "[redacted]"}, {}]'}, "what is secret in it was not kept"),
        ({"sealed": b"nonsense"}, "can't be opened with SECRET_KEY"),
        ({"state": "resolved"}, "it is resolved"),
    ],
)
def test_what_could_only_die_again_is_refused_with_the_reason(change: dict[str, Any], reason: str) -> None:
    """Nothing is sent, and the letter stays as it is."""
    letter = dead(dying.plain, 1)
    DeadLetter.objects.update(**change)

    with pytest.raises(RedriveRefused, match=reason):
        redrive(letter, by="ada")
    assert job(letter.task_id).state == "dead"
    assert not Redrive.objects.exists()


def test_a_job_that_lives_is_left_alone() -> None:
    """Somebody has enqueued it again under its own id, say."""
    letter = dead(dying.plain, 1)
    OutboxMessage.objects.update(state="sent", finished_at=None)

    with pytest.raises(RedriveRefused, match="its job is under way"):
        redrive(letter, by="ada")


def test_a_discarded_letter_can_be_redriven_after_all() -> None:
    """Somebody erred."""
    letter = dead(dying.plain, 1)
    DeadLetter.objects.update(state="discarded", closed_at=timezone.now(), closed_by="bob", note="not worth it")
    redrive(letter, by="ada")

    assert state(letter) == ("redriven", ["pending"])
    assert (letter.closed_at, letter.closed_by, letter.note) == (None, "", "")
