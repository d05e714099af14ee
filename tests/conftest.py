"""What every test finds: the project's Celery app is the current one, though importing pytest-celery makes another."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from project.celery import app
from tests.servers.emptying import emptied_quickly

app.set_current()
app.set_default()  # for other threads

settings.register_profile("suite", deadline=None)  # on a busy machine an example is slow, not wrong
settings.load_profile("suite")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell has what it runs in the background ignore Ctrl-C, and what that starts in turn. Here it is tried.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """pytest-django's, with a quicker way to empty the database between tests."""
    with emptied_quickly():
        yield
