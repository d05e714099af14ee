"""The page on which one letter's arguments are edited: what it shows is what is sent, and so is what was changed."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from tasks.failure.letter_models import DeadLetter, Redrive
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import dead
from tests.integration.tasks.redrive.pages import LIST, page, signed_in
from tests.integration.tasks.redrive.test_edited_signatures import died_with, openended, painted, sent_arguments

pytestmark = pytest.mark.django_db(transaction=True)


def edited(letter: DeadLetter, **changes: Any) -> str:
    """What the page says after somebody has put *changes* into its text, None being to take a line out."""
    client, address = signed_in("view", "redrive"), f"{LIST}{letter.pk}/redrive/"
    (text,) = re.findall(r"<textarea[^>]*>(.*?)</textarea>", page(client, address), re.DOTALL)
    arguments = {**json.loads(unescape(text)), **changes}
    kept = {name: value for name, value in arguments.items() if value is not None}
    return client.post(address, {"arguments": json.dumps(kept)}, follow=True).content.decode()


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [([1, "red", 2, 3], {"size": 4}), ([1], {"colour": "blue"}), ([1], {"options": {"size": 4}})],
)
def test_a_page_that_nobody_changed_sends_what_died(args: list[Any], kwargs: dict[str, Any]) -> None:
    """By position what came by position, and nothing added."""
    letter = dead(openended, *args, **kwargs)
    edited(letter)

    assert sent_arguments(letter) == (args, kwargs)
    assert Redrive.objects.get().edited_body == ""


@pytest.mark.parametrize(
    ("changes", "args", "kwargs"),
    [
        ({"size": 5}, [1, "red", 2, 3], {"size": 5}),
        ({"rest": [2]}, [1, "red", 2], {"size": 4}),
        ({"number": True}, [True, "red", 2, 3], {"size": 4}),
    ],
)
def test_what_was_changed_is_sent_and_the_rest_as_it_was(
    changes: dict[str, Any], args: list[Any], kwargs: dict[str, Any]
) -> None:
    """One of many, all of them, and 1 that became true."""
    letter = dead(openended, 1, "red", 2, 3, size=4)
    edited(letter, **changes)

    assert json.dumps(sent_arguments(letter)) == json.dumps((args, kwargs))
    assert LogEntry.objects.get().change_message == f"Redriven, with other {', '.join(changes)}"


def test_what_the_task_does_not_take_is_shown_and_may_be_taken_out() -> None:
    """And nothing else: what is left in is refused, what fits stays."""
    letter = died_with([], {"number": 1, "colour": "blue", "gone": 9})
    assert "no parameter &#x27;gone&#x27;" in edited(letter)
    assert "Give colour" in edited(letter, gone=None, colour=None)
    edited(letter, gone=None)

    assert sent_arguments(letter) == ([1, "blue"], {})


def test_what_cannot_be_told_apart_is_left_for_the_person_to_say() -> None:
    """The page shows no guess."""
    letter = died_with([1, "blue", 9], {})
    assert "give others" in edited(letter)
    edited(letter, number=2, colour="white")

    assert sent_arguments(letter) == ([2, "white"], {})


@pytest.mark.parametrize("text", ["[" * 100_000, '{"number": ' + "9" * 5_000 + "}"])
def test_what_nobody_can_read_is_told_on_the_page(text: str) -> None:
    """However deep or long."""
    letter = dead(painted, 1)
    answer = signed_in("view", "redrive").post(f"{LIST}{letter.pk}/redrive/", {"arguments": text})

    assert (answer.status_code, 'class="problem"' in answer.content.decode()) == (200, True)
    assert not Redrive.objects.exists()


def test_an_argument_that_no_text_of_the_database_holds_is_sent() -> None:
    """The body spells it out; the header that shows it to people must, too."""
    letter = dead(painted, 1)
    edited(letter, colour="a\x00b")

    assert sent_arguments(letter) == ([1, "a\x00b"], {})


def test_a_letter_of_a_task_that_is_gone_still_has_its_page() -> None:
    """Which says why it can't be redriven."""
    letter = dead(dying.plain, 1, comment="x")
    DeadLetter.objects.update(name="redrive.renamed")

    told = page(signed_in("view", "redrive"), f"{LIST}{letter.pk}/redrive/")
    assert "it would die again" in told
    assert "&quot;comment&quot;: &quot;x&quot;" in told
