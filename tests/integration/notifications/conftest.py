"""Fixtures of the notifications' tests."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from project.celery import app
from tests.servers.mail import mail_server

__all__ = ["mail_server"]


@pytest.fixture(autouse=True)
def project_app() -> None:
    """Importing pytest-celery makes an app without a broker the current one."""
    app.set_current()


@pytest.fixture
def ada(transactional_db: None) -> User:
    return User.objects.create_user("ada", "ada@example.com")
