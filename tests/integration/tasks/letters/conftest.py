"""Nothing that one test has asked of the tasks is left to the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.tasks.letters import mortal


@pytest.fixture(autouse=True)
def _nothing_asked() -> Iterator[None]:
    yield
    mortal.deaths.clear()
    mortal.on_death.clear()
