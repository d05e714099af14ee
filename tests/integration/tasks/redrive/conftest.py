"""Bodies succeed unless a test says otherwise, and nobody waits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

from tests.integration.tasks.redrive import dying


@pytest.fixture(autouse=True)
def _calm() -> Iterator[None]:
    dying.in_body.clear()
    dying.in_body["now"] = lambda: "result"
    dying.redriven.clear()
    dying.mourned.clear()
    with override_settings(TASKS={"RETRY_TIME_SCALE": 0.001}):
        yield
