"""Circuits in the admin: seen by who may look, closed by who may change."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from tasks.failure.circuit_models import Circuit

pytestmark = pytest.mark.django_db

PAGE = "/admin/tasks/circuit/"
CLOSE = {"action": "close", "_selected_action": ["circuit.seen"]}


@pytest.fixture(autouse=True)
def _an_open_circuit() -> None:
    now = timezone.now()
    Circuit.objects.create(
        name="circuit.seen", state="open", round=1, half_began_at=now, opened_at=now, until_at=now, succeeded=3,
        failed=7, earlier_succeeded=0, earlier_failed=2, pauses=0, permits=0, good=0,
    )  # fmt: skip


def signed_in(*permissions: str) -> Client:
    user = User.objects.create_user("somebody", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def test_who_may_look_sees_what_failed_and_cannot_close() -> None:
    """The action isn't offered, and not taken when it is sent all the same."""
    client = signed_in("view_circuit")
    page = client.get(PAGE).content.decode()
    client.post(PAGE, CLOSE)

    assert "9 of 12" in page
    assert "Close selected circuits" not in page
    assert Circuit.objects.get().state == "open"


def test_who_may_change_can_close_and_it_is_noted_who_did() -> None:
    """With what was closed, in the admin's own log."""
    client = signed_in("view_circuit", "change_circuit")
    client.post(PAGE, CLOSE)

    assert Circuit.objects.get().state == "closed"
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_repr, entry.change_message) == (
        "somebody",
        "circuit.seen",
        "Closed by hand",
    )
