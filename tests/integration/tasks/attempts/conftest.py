"""Attempts that don't wait, and bodies that do nothing unless a test says so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import override_settings

from tests.integration.tasks.attempts.acts import hook, in_body


@pytest.fixture
def calm() -> Iterator[None]:
    """Bodies succeed, the hook says that nothing has happened, and nobody waits."""
    in_body["now"] = lambda: "result"
    hook["now"] = lambda: None
    with override_settings(TASKS={"LEDGER_WAIT": timedelta(milliseconds=50), "RETRY_TIME_SCALE": 0.001}):
        yield
