"""A pool process is seen dead as soon as the kernel knows, though its pipe was closed before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tasks.delivery.child_deaths import LEFT_TO_CELERY, deaths_seen_at_once


class Pool:
    """As much of Celery's as is used: it is asked about a process, and lets go of one that has an exit code."""

    def __init__(self) -> None:
        self._pool = ["process"]
        self.looks = 0
        self.knows_at_look = 1

    def _event_process_exit(self, hub: Any, process: str) -> None:
        self.looks += 1
        if self.looks == self.knows_at_look:
            self._pool.remove(process)


class Hub:
    """An event loop that keeps what is to be done later."""

    def __init__(self) -> None:
        self.later: list[tuple[float, Callable[[], Any]]] = []

    def call_later(self, seconds: float, callback: Any, *args: Any) -> None:
        self.later.append((seconds, lambda: callback(*args)))

    def turn(self) -> list[float]:
        """Do it all, and what comes of it; the pauses."""
        pauses = []
        while self.later:
            pause, callback = self.later.pop()
            pauses.append(pause)
            callback()
        return pauses


@pytest.fixture
def pool() -> Any:
    """One that looks again."""
    pool = Pool()
    deaths_seen_at_once(pool)
    return pool


def test_one_that_has_an_exit_code_is_asked_about_once(pool: Any) -> None:
    hub = Hub()
    pool._event_process_exit(hub, "process")
    assert (hub.turn(), pool._pool) == ([], [])


def test_one_that_has_none_yet_is_asked_about_again_within_milliseconds(pool: Any) -> None:
    """Celery would leave it for up to five seconds."""
    hub = Hub()
    pool.knows_at_look = 3
    pool._event_process_exit(hub, "process")
    assert sum(hub.turn()) < 0.05
    assert pool._pool == []


def test_one_that_closed_its_pipe_and_lives_is_left_to_celerys_timer(pool: Any) -> None:
    hub = Hub()
    pool.knows_at_look = 0
    pool._event_process_exit(hub, "process")
    assert max(hub.turn()) < LEFT_TO_CELERY
    assert pool._pool == ["process"]
