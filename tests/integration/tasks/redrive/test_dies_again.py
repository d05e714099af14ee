"""Every death of a job is on record, whatever was done to it since the one before."""

from __future__ import annotations

import pytest

from tasks.enqueue.models import OutboxMessage
from tasks.execution.redrive import redrive
from tests.integration.tasks.attempts.delivering import job
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import died

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_redriven_job_that_was_given_new_arguments_is_still_the_redrive() -> None:
    """It is unique and had not begun, so the next of its kind took its place: by the same id, with the same letter."""
    letter = died(dying.newest.enqueue(1, "first"))
    redrive(letter, by="ada")
    assert dying.newest.enqueue(1, "second") == letter.task_id
    assert job(letter.task_id).headers["tasks_generation"] == 1
    died(letter.task_id)

    letter.refresh_from_db()
    assert (letter.state, letter.deaths, letter.generation) == ("open", 2, 1)
    assert "second" in letter.body, "a redrive would send what nobody wants any more"
    assert letter.redrives.get().outcome == "died"
    assert dying.mourned == [letter.task_id] * 2


def test_a_new_job_under_the_id_of_one_that_died_dies_on_record() -> None:
    """The first one's row is pruned; its letter is kept for longer, and tells of its death alone."""
    letter = died(dying.newest.enqueue(1, "first", task_id="by hand"))
    OutboxMessage.objects.all().delete()
    died(dying.newest.enqueue(1, "second", task_id="by hand"))

    letter.refresh_from_db()
    assert (letter.state, letter.deaths) == ("open", 2)
    assert "second" in letter.body, "a redrive would send what has another end"
    assert dying.mourned == ["by hand"] * 2
