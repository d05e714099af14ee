"""Dead letters in the admin: who may do what, what a page asks before it does it, and what it leaves in the log."""

from __future__ import annotations

import json

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from tasks.admin import letter_actions
from tasks.enqueue.models import OutboxMessage
from tasks.failure.letter_models import DeadLetter, Redrive
from tasks.tasks import discard_letters
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import dead
from tests.integration.tasks.redrive.pages import LIST, confirm, page, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


def test_looking_redriving_and_discarding_are_three_permissions() -> None:
    """Who may only look is shown no button, and refused behind each address."""
    letter = dead(dying.plain, 1)
    client = signed_in("view")
    one = reverse("admin:tasks_deadletter_change", args=[letter.pk])

    for address in (LIST, one, f"{LIST}causes/"):
        assert "Redrive…" not in page(client, address)
        assert "Discard…" not in page(client, address)
    for address in (f"redrive/?ids={letter.pk}", f"discard/?ids={letter.pk}", f"{letter.pk}/redrive/"):
        assert client.get(LIST + address).status_code == 403
        assert client.post(LIST + address, {"rate": 1, "note": "x", "arguments": "{}"}).status_code == 403
    assert DeadLetter.objects.get().state == "open"


@pytest.mark.parametrize("may", ["redrive", "discard"])
def test_who_may_not_look_at_letters_is_shown_none_and_does_nothing_to_them(may: str) -> None:
    """As with the actions of Django's own lists: each page shows letters, and so needs the permission to view them."""
    letter = dead(dying.plain, 1, comment="for her eyes only")
    client, fields = signed_in(may), {"rate": 1, "note": "x", "arguments": "{}"}
    one = reverse("admin:tasks_deadletter_change", args=[letter.pk])

    for address in (
        LIST,
        one,
        *(LIST + word for word in ("causes/", "redrive/?all=1", "discard/?all=1", f"{letter.pk}/redrive/")),
    ):
        for answer in (client.get(address), client.post(address, fields)):
            assert (answer.status_code, "her eyes" in answer.content.decode()) == (403, False)
    letter.refresh_from_db()
    assert letter.state == "open"


def test_a_stranger_is_asked_to_log_in() -> None:
    """At each page."""
    for address in ("", "causes/", "redrive/?all=1", "discard/?all=1", "1/redrive/"):
        assert Client().get(LIST + address).status_code == 302


def test_a_letters_page_shows_its_history_and_no_secret() -> None:
    """The traceback, the message, and what would go on after it."""
    letter = dying.dead_in_chain(1)
    secret = dead(dying.secretive, "4242 4242", 5)
    client = signed_in("view", "redrive", "discard")

    told = page(client, reverse("admin:tasks_deadletter_change", args=[letter.pk]))
    for word in ("raise Permanent", "redrive.follow", letter.task_id, "Redrive…", "Discard…"):
        assert word in told
    told = page(client, reverse("admin:tasks_deadletter_change", args=[secret.pk]))
    assert "4242" not in told
    assert "[redacted]" in told


def test_causes_are_counted_and_lead_to_their_letters() -> None:
    """With a picture of when they came."""
    letters = [dead(dying.plain, number) for number in range(3)]
    client = signed_in("view", "redrive")
    told = page(client, f"{LIST}causes/")

    assert "<b>3</b>" in told
    assert "3 in the last 24 hours" in told
    assert f"fingerprint={letters[0].fingerprint}" in told
    assert page(client, f"{LIST}?fingerprint={letters[0].fingerprint}").count('name="_selected_action"') == 3
    assert page(client, f"{LIST}?fingerprint=nonsense").count('name="_selected_action"') == 0


def test_a_selection_is_redriven_after_a_page_that_says_what_would_happen() -> None:
    """The page tries it first: what would be refused is told before anything is done."""
    letter, refused = dead(dying.plain, 1), dead(dying.hooked, -1)
    client = signed_in("view", "redrive")
    answer = client.post(LIST, {"action": "redrive_selected", "_selected_action": [letter.pk, refused.pk]})
    told = page(client, answer["Location"])
    assert "1 of the 2 that were tried" in told
    assert "nothing left to take up" in told
    assert not Redrive.objects.exists()

    told = confirm(client, answer["Location"], rate="2")
    assert "1 jobs are on their way again, 2 a second." in told
    assert "1 could not be redriven" in told
    assert Redrive.objects.get().asked_by == "ada"
    assert LogEntry.objects.get().change_message.startswith("Redrove 1, 2 a second; 1 could not be")


@pytest.mark.parametrize("rate", ["", "0", "-1", "many", "1e9", "nan"])
def test_a_rate_that_is_none_is_asked_for_again(rate: str) -> None:
    """And nothing is done."""
    letter = dead(dying.plain, 1)

    assert "Say how many a second" in confirm(
        signed_in("view", "redrive"), f"{LIST}redrive/?ids={letter.pk}", rate=rate
    )
    assert not Redrive.objects.exists()


def test_all_of_a_filter_are_redriven_by_a_job_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request doesn't wait for a hundred thousand; the job takes those that the person saw."""
    monkeypatch.setattr(letter_actions, "AT_ONCE", 1)
    first = dead(dying.plain, 1)
    dead(dying.plain, 2)
    client = signed_in("view", "redrive")
    selected = {"action": "redrive_selected", "_selected_action": [first.pk], "select_across": "1"}
    answer = client.post(f"{LIST}?name=redrive.plain", selected)
    confirm(client, answer["Location"], rate="5")

    asked = json.loads(OutboxMessage.objects.get(name="tasks.redrive_letters").body)[1]
    assert (asked["by"], asked["rate"], asked["which"]["name"], asked["which"]["ids"]) == (
        "ada",
        5,
        "redrive.plain",
        [],
    )
    assert asked["which"]["seen_before"]
    assert LogEntry.objects.get().change_message.startswith("Asked to redrive 2")


def test_many_are_discarded_by_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason, and those alone that the person saw."""
    monkeypatch.setattr(letter_actions, "AT_ONCE", 1)
    dead(dying.plain, 1)
    dead(dying.plain, 2)
    confirm(signed_in("view", "discard"), f"{LIST}discard/?name=redrive.plain", note="not worth it")
    dead(dying.plain, 3)
    asked = json.loads(OutboxMessage.objects.get(name="tasks.discard_letters").body)[1]

    assert discard_letters(**asked) == 2
    assert DeadLetter.objects.filter(state="discarded", closed_by="ada", note="not worth it").count() == 2
    assert DeadLetter.objects.filter(state="open").count() == 1


def test_one_letter_is_redriven_with_other_arguments() -> None:
    """Shown as they are, by name; what is wrong with them is told, and what was typed is still there."""
    letter = dead(dying.plain, 1)
    client = signed_in("view", "redrive")
    address = reverse("admin:tasks_deadletter_redrive_one", args=[letter.pk])
    assert "&quot;number&quot;: 1" in page(client, address)

    for typed, problem in [
        ("{", "no JSON"),
        ("[]", "must be an object"),
        ("{}", "Give number"),
        ('{"number": 1, "nr": 2}', "no parameter"),
    ]:
        told = client.post(address, {"arguments": typed}).content.decode()
        assert problem in told
    assert not Redrive.objects.exists()
    client.post(address, {"arguments": '{"number": 2}'})
    assert json.loads(OutboxMessage.objects.get().body)[0] == [2]
    assert LogEntry.objects.get().change_message == "Redriven, with other number"


def test_discarding_asks_why() -> None:
    """And leaves the answer with the letter and in the log."""
    letter = dead(dying.plain, 1)
    client = signed_in("view", "discard")
    address = f"{LIST}discard/?ids={letter.pk}"
    assert "Say why" in confirm(client, address, note=" ")
    confirm(client, address, note="not worth it")

    letter.refresh_from_db()
    assert (letter.state, letter.closed_by, letter.note) == ("discarded", "ada", "not worth it")
    assert LogEntry.objects.get().change_message.startswith("Discarded 1: not worth it")


def test_an_address_that_names_no_letters_names_none() -> None:
    """Everything is said as such, never by leaving something out."""
    client = signed_in("view", "redrive", "discard")
    for address in ("redrive/", "discard/", "redrive/?ids=x", "redrive/?nme=redrive.plain", "999999/redrive/"):
        assert client.get(LIST + address).status_code == 404


def test_search_finds_by_any_id_whole() -> None:
    """A task id, a root's, or a key."""
    letter = dead(dying.once, 7)
    dead(dying.plain, 1)
    client = signed_in("view")

    for words in (letter.task_id, "redrive:7"):
        assert page(client, f"{LIST}?q={words}").count('class="id"') == 1
    assert page(client, f"{LIST}?q=redrive").count('class="id"') == 0
