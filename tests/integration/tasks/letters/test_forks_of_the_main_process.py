"""A child is not forked in the middle of what the registrar writes, where it would inherit a lock that nobody frees."""

from __future__ import annotations

import os
import threading
from datetime import timedelta

import pytest

from tasks.delivery import forks
from tasks.execution.registrar import registrar

pytestmark = pytest.mark.django_db(transaction=True)

WITHIN = timedelta(seconds=30)


class Writing:
    """Something that the registrar writes for as long as it is told to."""

    def __init__(self) -> None:
        self.begun, self.enough, self.is_over = threading.Event(), threading.Event(), False
        registrar.put("something", self._write, lambda _: None)
        assert self.begun.wait(WITHIN.total_seconds())

    def _write(self) -> None:
        self.begun.set()
        self.enough.wait(WITHIN.total_seconds())
        self.is_over = True


def forked(writing: Writing) -> bool:
    """Fork a child; whether it finds the writing over."""
    child = os.fork()
    if child == 0:
        os._exit(0 if writing.is_over else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_fork_waits_for_what_is_being_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop forks in its own thread, and doesn't see what the registrar holds."""
    monkeypatch.setattr(forks, "FORK_WAITS", WITHIN)
    writing = Writing()
    threading.Timer(0.2, writing.enough.set).start()
    assert forked(writing)
    assert registrar.flush(WITHIN)


def test_a_database_that_hangs_does_not_stop_the_event_loop_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the child takes its chance, and the registrar still writes when it can."""
    monkeypatch.setattr(forks, "FORK_WAITS", timedelta(milliseconds=100))
    writing = Writing()
    assert not forked(writing)
    writing.enough.set()
    assert registrar.flush(WITHIN)
    assert forked(writing)
