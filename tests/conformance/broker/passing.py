"""Waiting for what must not happen: it has had the time to."""

from __future__ import annotations

import time
from datetime import timedelta

from tasks.testing.waiting import eventually
from tests.conformance.broker.floor import Floor


def passed(span: timedelta) -> None:
    """Wait until *span* has passed: what must not happen has had the time to."""
    until = time.monotonic() + span.total_seconds()
    eventually(lambda: time.monotonic() >= until, within=2 * span)


def settled(floor: Floor) -> None:
    """Wait until nothing waits and a job that is sent now has been carried out."""
    mark = f"settled-{time.monotonic()}"
    floor.send("say", mark)
    floor.await_said(mark, "ran")
    eventually(lambda: floor.depth() == 0)
