"""Letters whose message is no task's, however they came to be there: each is told of, and in nobody's way."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import reverse

from tasks.errors import RedriveRefused
from tasks.execution.redrive import redrive, redrive_all
from tasks.failure.letter_filters import LetterFilter
from tasks.failure.letter_models import DeadLetter
from tasks.failure.sealing import seal
from tests.integration.tasks.attempts.delivering import job
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import dead
from tests.integration.tasks.redrive.pages import LIST, page, signed_in
from tests.integration.tasks.redrive.test_transfer import UNREADABLE

pytestmark = pytest.mark.django_db(transaction=True)


def spoilt(**fields: Any) -> DeadLetter:
    """A letter with such *fields*, as an import took them once."""
    letter = dead(dying.plain, 1)
    DeadLetter.objects.filter(pk=letter.pk).update(**fields)
    return letter


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        *(({"body": body}, flaw) for body, flaw in UNREADABLE),
        ({"headers": "text"}, "its headers are no mapping"),
        ({"properties": [1]}, "its properties are no mapping"),
        ({"body": '[[1], {}, {"chain": [{"task": "redrive.follow", "options": 1}]}]'}, "its chain are no list"),
    ],
)
def test_one_among_many_does_not_keep_the_others(fields: dict[str, Any], reason: str) -> None:
    """It is refused with the reason, the others of its chunk are on their way."""
    bad, good = spoilt(**fields), dead(dying.plain, 2)
    with pytest.raises(RedriveRefused, match=reason):
        redrive(bad, by="ada")
    done = redrive_all(LetterFilter(), by="ada")

    assert (done.count, list(done.refused)) == (1, [bad.task_id])
    assert DeadLetter.objects.get(pk=good.pk).state == "redriven"


@pytest.mark.parametrize("body", ["no json", "{}", "[1, 2, 3]"])
def test_it_can_be_looked_at(body: str) -> None:
    """In the admin and at the terminal, where somebody has to find out what it is."""
    letter = spoilt(body=body)
    client, out = signed_in("view", "redrive"), io.StringIO()

    assert letter.task_id in page(client, reverse("admin:tasks_deadletter_change", args=[letter.pk]))
    assert "nothing to send" in page(client, f"{LIST}{letter.pk}/redrive/")
    call_command("dead_letters", "show", str(letter.pk), stdout=out)
    assert letter.task_id in out.getvalue()


def test_a_header_that_no_row_can_hold_is_spelt_out() -> None:
    """A message that came past the outbox may say anything, and must not keep those of its chunk either."""
    letter = dead(dying.plain, 1)
    original = {"headers": {**letter.headers, "note": "a\x00b"}, "properties": letter.properties, "body": letter.body}
    DeadLetter.objects.update(sealed=seal(original))

    assert redrive_all(LetterFilter(), by="ada").count == 1
    assert job(letter.task_id).headers["note"] == "a\\x00b"
