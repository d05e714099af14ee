"""Letters that are discarded, let go of, or settled when nobody told how their redrive ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import override_settings
from django.utils import timezone

from tasks import cancel
from tasks.enqueue.models import OutboxMessage
from tasks.execution.redrive import redrive
from tasks.failure.discard import letters_discard
from tasks.failure.letter_filters import LetterFilter
from tasks.failure.letter_models import DeadLetter, JobAttempt, Redrive
from tasks.tasks import prune_letters, settle_redrives
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import dead, delivered, sent

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)


def aged(letter: DeadLetter, age: timedelta, **fields: Any) -> DeadLetter:
    """The letter, as if it had died so long ago."""
    then = timezone.now() - age
    DeadLetter.objects.filter(pk=letter.pk).update(first_seen_at=then, last_seen_at=then, **fields)
    return letter


def left() -> set[int]:
    return set(DeadLetter.objects.values_list("pk", flat=True))


def test_a_discarded_letter_tells_who_and_why() -> None:
    """Only open ones are: what is on its way again is not."""
    first, second = dead(dying.plain, 1), dead(dying.plain, 2)
    redrive(second, by="ada")

    assert letters_discard(LetterFilter(state=""), by="bob", note="the customer has left", dry_run=True) == 1
    assert letters_discard(LetterFilter(state=""), by="bob", note=" the customer has left ") == 1
    first.refresh_from_db()
    assert (first.state, first.closed_by, first.note) == ("discarded", "bob", "the customer has left")
    assert first.closed_at is not None


def test_no_letter_is_discarded_without_a_reason() -> None:
    """Whoever looks for the job finds it."""
    dead(dying.plain, 1)
    with pytest.raises(ValueError, match="say why"):
        letters_discard(LetterFilter(), by="bob", note="  ")


@override_settings(TASKS={"LETTERS_KEPT_FOR": 30 * DAY, "LETTERS_OPEN_FOR": 365 * DAY})
def test_closed_letters_go_by_age_and_open_ones_much_later_each_with_all_that_hangs_on_it() -> None:
    """What is kept keeps its attempts and redrives."""
    then = timezone.now() - 31 * DAY
    kept = aged(dead(dying.plain, 1), 364 * DAY)
    aged(dead(dying.plain, 2), 366 * DAY)
    redriven = dead(dying.plain, 3)
    redrive(redriven, by="ada")
    delivered(sent(redriven.task_id))
    DeadLetter.objects.filter(pk=redriven.pk).update(closed_at=then)
    closed_lately = aged(dead(dying.plain, 4), 100 * DAY, state="discarded", closed_at=timezone.now() - DAY)
    prune_letters()

    assert left() == {kept.pk, closed_lately.pk}
    assert set(JobAttempt.objects.values_list("task_id", flat=True)) == {kept.task_id, closed_lately.task_id}
    assert not Redrive.objects.exists()


@override_settings(TASKS={"LETTERS_MAX": 2})
def test_of_too_many_the_closed_go_first_and_then_the_oldest() -> None:
    """A flood must not fill the disk; what somebody still has to look at goes last."""
    oldest = aged(dead(dying.plain, 1), 5 * DAY)
    newer = aged(dead(dying.plain, 2), 4 * DAY)
    newest = aged(dead(dying.plain, 3), 3 * DAY)
    aged(dead(dying.plain, 4), DAY, state="discarded", closed_at=timezone.now())
    prune_letters()

    assert left() == {newer.pk, newest.pk}
    assert oldest.pk not in left()


@override_settings(TASKS={"OUTBOX_KEPT_FOR": 7 * DAY})
def test_attempts_of_jobs_that_came_to_a_good_end_go_with_the_outbox() -> None:
    """Those of a letter stay for as long as it does, those of a job under way until it has ended."""
    letter = dead(dying.plain, 1)
    waiting = dying.plain.enqueue(2)
    for task_id in ("succeeded long ago", waiting):
        JobAttempt.objects.create(task_id=task_id, outcome="retried")
    JobAttempt.objects.update(ended_at=F("ended_at") - 8 * DAY)
    prune_letters()

    assert set(JobAttempt.objects.values_list("task_id", flat=True)) == {letter.task_id, waiting}


def let_a_minute_pass() -> None:
    OutboxMessage.objects.update(finished_at=F("finished_at") - timedelta(minutes=2))


def test_a_redrive_that_was_cancelled_leaves_the_letter_open() -> None:
    """Nobody has seen to the job; the letter says what became of it."""
    letter = dead(dying.plain, 1)
    redrive(letter, by="ada")
    assert cancel(letter.task_id)
    assert settle_redrives() == 0  # whoever ended it may be about to tell
    let_a_minute_pass()

    assert settle_redrives() == 1
    letter.refresh_from_db()
    assert (letter.state, letter.note) == ("open", "its last redrive was cancelled")
    assert letter.redrives.get().outcome == "cancelled"
    redrive(letter, by="ada")
    assert set(letter.redrives.values_list("generation", flat=True)) == {1, 2}


def test_what_succeeded_after_all_resolves_the_letter() -> None:
    """The copy that was taken for dead was only slow, and ended the job without knowing of the redrive."""
    letter = dead(dying.plain, 1)
    redrive(letter, by="ada")
    OutboxMessage.objects.update(state="succeeded", finished_at=timezone.now())
    let_a_minute_pass()
    settle_redrives()

    letter.refresh_from_db()
    assert (letter.state, letter.redrives.get().outcome) == ("resolved", "succeeded")


def test_a_redrive_that_left_no_trace_opens_the_letter_again() -> None:
    """Its row is gone, and so long after nobody will tell any more. Before that it may be on its way."""
    letter = dead(dying.plain, 1)
    redrive(letter, by="ada")
    OutboxMessage.objects.all().delete()
    assert settle_redrives() == 0
    Redrive.objects.update(asked_at=timezone.now() - 8 * DAY)

    assert settle_redrives() == 1
    letter.refresh_from_db()
    assert (letter.state, letter.note) == ("open", "its last redrive left no trace")
