"""Breakers that know nothing of the test before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tasks.failure import breaker


@pytest.fixture(autouse=True)
def _no_breakers() -> Iterator[None]:
    breaker._breakers.clear()
    yield
    breaker._breakers.clear()
