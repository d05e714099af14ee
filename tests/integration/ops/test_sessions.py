"""Expired sessions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from apps.ops.tasks import clear_sessions


@pytest.mark.django_db
def test_expired_sessions_are_deleted_and_the_others_are_not() -> None:
    """Nobody is logged out by a chore."""
    for key, age in (("old", timedelta(days=-1)), ("new", timedelta(days=1))):
        Session.objects.create(session_key=key, session_data="", expire_date=timezone.now() + age)
    clear_sessions()
    assert [session.session_key for session in Session.objects.all()] == ["new"]
