"""`manage.py ensure_staff`: somebody who can log in, and what it says where there can't be one."""

from __future__ import annotations

import io

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from pytest_django import Settings

pytestmark = pytest.mark.django_db
PASSWORD = "long enough for staff"


def test_it_makes_one_and_keeps_them(settings: Settings) -> None:
    """Run at every start."""
    settings.STAFF_PASSWORD = PASSWORD
    out = io.StringIO()
    call_command("ensure_staff", stdout=out)
    call_command("ensure_staff", stdout=out)

    assert out.getvalue() == "created staff\nkept staff\n"
    assert User.objects.get().check_password(PASSWORD)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--username", "x" * 151], "username: Ensure this value has at most 150 characters"),
        (["--username", "a b"], "username: Enter a valid username"),
        (["--username", ""], "username: This field cannot be blank"),
        (["--username", "a\0b"], "no text in the database"),
        (["--email", "nobody"], "email: Enter a valid email address"),
        (["--email", "x" * 250 + "@example.com"], "email: "),
    ],
)
def test_a_name_or_address_that_cannot_be_is_told(settings: Settings, words: list[str], problem: str) -> None:
    """Before anything is written: a superuser whom nobody can name is no help."""
    settings.STAFF_PASSWORD = PASSWORD
    with pytest.raises(CommandError, match=problem):
        call_command("ensure_staff", *words)
    assert not User.objects.exists()


def test_a_short_password_is_told(settings: Settings) -> None:
    settings.STAFF_PASSWORD = "short"
    with pytest.raises(CommandError, match="STAFF_PASSWORD is shorter than 12 characters"):
        call_command("ensure_staff")
