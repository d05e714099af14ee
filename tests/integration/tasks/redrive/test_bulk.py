"""Many letters at once: at a rate that the outbox keeps, each once, and what can't be redriven told."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from tasks.enqueue.models import OutboxMessage
from tasks.execution import redrive as redrive_module
from tasks.execution.redrive import Redriven, redrive_all
from tasks.failure.letter_filters import LetterFilter
from tasks.failure.letter_models import DeadLetter, Redrive
from tasks.tasks import redrive_letters
from tests.concurrency import at_once
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import dead

pytestmark = pytest.mark.django_db(transaction=True)

ALL = LetterFilter()


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a test needs few letters to see more than one chunk."""
    monkeypatch.setattr(redrive_module, "CHUNK", 3)


def letters(count: int) -> list[DeadLetter]:
    """So many that died of the same."""
    return [dead(dying.plain, number) for number in range(count)]


def due() -> list[datetime]:
    return list(OutboxMessage.objects.filter(finished_at=None).order_by("due_at").values_list("due_at", flat=True))


def test_they_are_due_one_after_the_other_at_the_rate() -> None:
    """The relay sends what is due: nobody has to stay until the last is sent."""
    letters(8)
    start = timezone.now() + timedelta(hours=1)
    done = redrive_all(ALL, by="ada", rate=4, start_at=start)

    assert (done.count, done.refusals, done.is_complete) == (8, 0, True)
    assert due() == [start + timedelta(seconds=number / 4) for number in range(8)]
    assert done.next_at == start + timedelta(seconds=2)
    assert set(OutboxMessage.objects.values_list("state", flat=True)) == {"scheduled"}
    assert DeadLetter.objects.filter(state="redriven").count() == 8


def test_without_a_rate_all_are_sent_at_once() -> None:
    """As fast as the relay sends."""
    letters(4)
    redrive_all(ALL, by="ada")

    assert set(OutboxMessage.objects.values_list("state", flat=True)) == {"queued"}


def test_what_cannot_be_redriven_is_told_and_stays_and_takes_no_place() -> None:
    """One bad letter among many must not hold up the others, nor leave a gap in the rate."""
    found = letters(5)
    DeadLetter.objects.filter(pk=found[1].pk).update(name="redrive.renamed")
    hooked = dead(dying.hooked, -1)
    start = timezone.now() + timedelta(hours=1)
    done = redrive_all(ALL, by="ada", rate=1, start_at=start)

    assert (done.looked_at, done.count, done.refusals) == (6, 4, 2)
    assert done.refused.keys() == {found[1].task_id, hooked.task_id}
    assert done.refused[hooked.task_id] == "ValueError: nothing left to take up"
    assert due() == [start + timedelta(seconds=number) for number in range(4)]
    assert DeadLetter.objects.filter(state="open").count() == 2


@pytest.mark.parametrize(
    ("which", "names"),
    [
        ({"name": "redrive.hooked"}, {"redrive.hooked"}),
        ({"reason": "permanent"}, {"redrive.hooked", "redrive.plain"}),
        ({"reason": "expired"}, set()),
        ({"state": "discarded"}, set()),
        ({"seen_before": datetime(2020, 1, 1).astimezone()}, set()),
        ({"seen_since": datetime(2020, 1, 1).astimezone()}, {"redrive.hooked", "redrive.plain"}),
        ({"queue": "default", "error_type": "Permanent"}, {"redrive.hooked", "redrive.plain"}),
    ],
)
def test_a_filter_names_those_that_fit_all_of_it(which: dict[str, Any], names: set[str]) -> None:
    """And survives the way through a job's arguments."""
    letters(2)
    dead(dying.hooked, 1)
    redrive_all(LetterFilter.of_json(LetterFilter(**which).as_json()), by="ada")

    assert set(DeadLetter.objects.filter(state="redriven").values_list("name", flat=True)) == names


def test_by_fingerprint_and_by_any_id_that_a_person_has() -> None:
    """What died of one cause is one group; a root's id finds what died of a whole pipeline."""
    third = dying.dead_in_chain(3)
    first, second = dead(dying.plain, 1), dead(dying.hooked, 2)

    def found(**which: Any) -> set[int]:
        return set(LetterFilter(**which).letters().values_list("pk", flat=True))

    assert first.pk in found(fingerprint=first.fingerprint)
    assert found(search=second.task_id) == {second.pk}
    assert found(search=third.root_id) == {third.pk}
    assert found(search="no such id") == set()


def test_two_at_once_redrive_each_letter_once() -> None:
    """Each leaves to the other what the other has locked."""
    letters(9)

    answers = at_once(3, lambda: redrive_all(ALL, by="somebody"))

    told = [answer for answer in answers if isinstance(answer, Redriven)]
    assert [done.refusals for done in told] == [0, 0, 0]
    assert sum(done.count for done in told) == 9
    assert Redrive.objects.count() == 9
    assert DeadLetter.objects.filter(state="redriven").count() == 9


def test_whoever_names_a_letter_that_another_redrives_is_told() -> None:
    """Nothing redriven and nothing refused would look as if there had been nothing to do."""
    (letter,) = letters(1)
    named = LetterFilter(ids=(letter.pk,), state="")

    told = [done for done in at_once(3, lambda: redrive_all(named, by="somebody")) if isinstance(done, Redriven)]
    assert sorted((done.count, done.refusals) for done in told) == [(0, 1), (0, 1), (1, 0)]


def test_a_dry_run_says_what_would_be_and_changes_nothing() -> None:
    """Of each chunk."""
    letters(4)
    done = redrive_all(ALL, by="ada", dry_run=True)

    assert (done.count, done.refusals) == (4, 0)
    assert DeadLetter.objects.filter(state="open").count() == 4
    assert set(OutboxMessage.objects.values_list("state", flat=True)) == {"dead"}


def test_a_job_that_runs_out_of_time_lets_another_go_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rate goes on, too; what was refused isn't looked at again."""
    found = letters(5)
    DeadLetter.objects.filter(pk=found[0].pk).update(name="redrive.renamed")
    clock = iter(range(0, 10_000, 200))  # the limit is over after the first chunk
    monkeypatch.setattr("tasks.tasks.time.monotonic", lambda: next(clock))
    start = timezone.now() + timedelta(hours=1)

    assert redrive_letters(ALL.as_json(), "ada", 1.0, None, start.isoformat()) == 2
    following = OutboxMessage.objects.get(name="tasks.redrive_letters")
    monkeypatch.undo()
    args: list[Any] = json.loads(following.body)[0]
    assert args[3][1] == found[2].pk
    assert redrive_letters(*args) == 2
    times = OutboxMessage.objects.filter(name="redrive.plain", finished_at=None).order_by("pk")
    assert [row.due_at for row in times] == [start + timedelta(seconds=number) for number in range(4)]
