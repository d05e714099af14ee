"""Jobs = succeeded + dead letters + waiting, whatever dies; and one bad job among many good ones harms none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from project.local.waiting import wait_until
from tasks.enqueue.models import OutboxMessage
from tasks.failure.letter_models import DeadLetter, JobAttempt
from tasks.testing import dead_letters
from tests.chaos import storm_tasks
from tests.chaos.letters import storm
from tests.chaos.storm_floor import StormFloor

pytestmark = pytest.mark.timeout(300)

WITHIN = timedelta(minutes=3)


@pytest.fixture
def floor(process_environment: dict[str, str], tmp_path: Path) -> Iterator[StormFloor]:
    """Two workers and a relay."""
    with StormFloor(directory=tmp_path, environment=process_environment, workers=2, seed=7) as floor:
        yield floor


@pytest.fixture
def calm_floor(process_environment: dict[str, str], tmp_path: Path) -> Iterator[StormFloor]:
    """The same where no worker is killed, and so nothing that is only slow is given to another one."""
    with StormFloor(
        directory=tmp_path, environment=process_environment, workers=2, seed=7, visibility_timeout=300
    ) as floor:
        yield floor


def logs(floor: StormFloor) -> str:
    return "\n".join(child.log_tail(15) for child in floor.children.values())


def test_in_a_storm_every_job_succeeds_or_leaves_a_letter(floor: StormFloor) -> None:
    """The short form of `./run chaos letters`: a third die, in every way, while workers are killed."""
    tally, figures = storm(floor, jobs=200, seed=7, within=WITHIN, dying=0.33)

    assert tally.adds_up, (tally, logs(floor))
    assert tally.waiting == 0, (tally, logs(floor))
    assert figures["kills"] >= 1
    assert len(tally.reasons) >= 9, tally.reasons


def test_a_poison_message_among_two_hundred_good_ones_costs_three_children_and_no_job(
    calm_floor: StormFloor,
) -> None:
    """It is run three times, kills what runs it, and is a dead letter then; the others have all been carried out."""
    floor = calm_floor
    for number in range(100):
        storm_tasks.work.enqueue(number)
    poison = storm_tasks.child_killed.enqueue(0)
    for number in range(100, 200):
        storm_tasks.work.enqueue(number)
    good = OutboxMessage.objects.filter(name="storm.work")

    assert wait_until(lambda: good.filter(state="succeeded").count() == 200, within=WITHIN), logs(floor)
    (letter,) = dead_letters.expect(reason="child_lost", within=timedelta(seconds=60))
    assert letter.task_id == poison
    assert DeadLetter.objects.count() == 1
    assert JobAttempt.objects.filter(outcome="died").count() == 3
    assert all(child.alive for child in floor.children.values())
