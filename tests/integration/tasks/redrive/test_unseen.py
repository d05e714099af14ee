"""What dies while somebody looks at a page, or is being asked, was seen by nobody: nothing is done to it."""

from __future__ import annotations

import io
import sys
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from tasks.failure.letter_models import DeadLetter
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import dead
from tests.integration.tasks.redrive.pages import LIST, confirm, shown, signed_in

pytestmark = pytest.mark.django_db(transaction=True)

TYPED = {"rate": "5", "note": "not worth it"}


@pytest.mark.parametrize("action", ["redrive", "discard"])
def test_what_died_after_the_page_was_shown_is_left(action: str) -> None:
    """The button said that one would go, and one goes."""
    letter = dead(dying.plain, 1)
    client, address = signed_in("view", action), f"{LIST}{action}/?fingerprint={letter.fingerprint}"
    sent = {**shown(client, address), **TYPED}
    unseen = dead(dying.plain, 2)
    client.post(address, sent)

    assert list(DeadLetter.objects.filter(state="open")) == [unseen]


@pytest.mark.parametrize("action", ["redrive", "discard"])
def test_what_died_again_after_the_page_was_shown_is_left(action: str) -> None:
    """Its error may be another by now, though it is the same letter; the person is told."""
    letter = dead(dying.plain, 1)
    client, address = signed_in("view", action), f"{LIST}{action}/?ids={letter.pk}"
    sent = {**shown(client, address), **TYPED}
    DeadLetter.objects.update(last_seen_at=timezone.now())
    told = client.post(address, sent, follow=True).content.decode()

    assert ("None of them is left" in told or "Discarded 0." in told) is True
    assert DeadLetter.objects.get().state == "open"


def test_an_age_is_that_which_it_was_when_the_page_was_shown() -> None:
    """What came of age since isn't what the person saw."""
    seen, unseen = dead(dying.plain, 1), dead(dying.plain, 2)
    client, address = signed_in("view", "discard"), f"{LIST}discard/?age=older&name=redrive.plain"
    DeadLetter.objects.filter(pk=seen.pk).update(last_seen_at=timezone.now() - timedelta(days=8))
    sent = {**shown(client, address), **TYPED}
    then = datetime.fromisoformat(sent["seen_before"]) - timedelta(days=7)
    DeadLetter.objects.filter(pk=unseen.pk).update(last_seen_at=then)
    client.post(address, sent)

    assert list(DeadLetter.objects.filter(state="open")) == [unseen]


@pytest.mark.parametrize("action", ["redrive", "discard"])
@pytest.mark.parametrize(
    "moment",
    [
        "",
        "yesterday",
        "2030-01-01T00:00:00",
        "0001-01-01T00:00:00+14:00",
        "2020-01-01T00:00:00+00:00",
    ],
)
def test_a_page_that_does_not_say_what_it_showed_does_nothing(action: str, moment: str) -> None:
    """It shows what there is, and asks again."""
    letter = dead(dying.plain, 1)
    told = confirm(signed_in("view", action), f"{LIST}{action}/?ids={letter.pk}", **TYPED, seen_before=moment)

    assert "Nothing was done" in told
    assert f'value="{action.title()} 1"' in told
    assert DeadLetter.objects.get().state == "open"


def test_a_page_of_a_clock_that_is_ahead_means_now() -> None:
    """Two web servers' clocks are never the same."""
    dead(dying.plain, 1)
    ahead = (timezone.now() + timedelta(hours=1)).isoformat()
    confirm(signed_in("view", "discard"), f"{LIST}discard/?all=1", **TYPED, seen_before=ahead)

    assert DeadLetter.objects.get().state == "discarded"


@pytest.mark.parametrize(("verb", "more"), [("redrive", ()), ("discard", ("--note", "not worth it"))])
def test_what_dies_while_the_command_asks_is_left(
    verb: str, more: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two letters it said, two it does."""
    dead(dying.plain, 1)
    dead(dying.plain, 2)
    asked: list[Any] = []

    def answer(question: str) -> str:
        asked.extend([question, dead(dying.plain, 3)])
        return "y"

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", answer)
    call_command("dead_letters", verb, "--task", "redrive.plain", *more, stdout=io.StringIO())

    assert asked[0] == f"{verb} 2 letters? [y/N] "
    assert list(DeadLetter.objects.filter(state="open")) == [asked[1]]
