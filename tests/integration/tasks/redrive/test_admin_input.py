"""The admin's pages asked for what can't be: an answer that says so, and no error of the server's."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tasks.failure.letter_models import DeadLetter, Redrive
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import dead

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/tasks/deadletter/"
HUGE = "9" * 30


@pytest.fixture
def client() -> Client:
    """Who may do everything."""
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    return client


def test_an_address_with_a_nul_names_nothing(client: Client) -> None:
    """No text in the database has one. A list is shown without its filters; where something is done, nothing is."""
    dead(dying.plain, 1)
    for name in ("name", "queue", "reason", "release", "fingerprint", "state", "age", "q"):
        answer = client.get(f"{LIST}?{name}=a%00b", follow=True)
        assert (answer.status_code, b"redrive.plain" in answer.content) == (200, True), name
        for page in ("redrive/", "discard/"):
            assert client.get(f"{LIST}{page}?all=1&{name}=a%00b").status_code == 404, (page, name)
    for table in ("outboxmessage", "ledgerentry", "circuit", "uniquelock"):
        for name in ("q", "state", "name"):
            assert client.get(f"/admin/tasks/{table}/?{name}=a%00b", follow=True).status_code == 200, (table, name)


def test_a_number_that_no_letter_has_names_none(client: Client) -> None:
    """However large."""
    for page in (f"redrive/?ids={HUGE}", f"discard/?ids={HUGE}"):
        assert client.get(LIST + page).context["count"] == 0
    for page in (f"{HUGE}/redrive/", f"redrive/?ids={HUGE * 200}"):
        assert client.get(LIST + page).status_code == 404


def test_a_note_with_a_nul_is_asked_for_again(client: Client) -> None:
    letter = dead(dying.plain, 1)
    answer = client.post(f"{LIST}discard/?ids={letter.pk}", {"note": "a\0b"})

    assert "Say why, without a NUL" in answer.content.decode()
    assert DeadLetter.objects.get().state == "open"


@pytest.mark.parametrize("rate", ["1e-300", "0.0009"])
def test_a_rate_too_small_for_a_date_is_asked_for_again(client: Client, rate: str) -> None:
    letter = dead(dying.plain, 1)
    answer = client.post(f"{LIST}redrive/?ids={letter.pk}", {"rate": rate})

    assert "a number from 0.001 to 10000" in answer.content.decode()
    assert not Redrive.objects.exists()
