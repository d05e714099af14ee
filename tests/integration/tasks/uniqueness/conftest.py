"""For all tests of uniqueness."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.tasks.uniqueness import sample_unique


@pytest.fixture
def runs() -> Iterator[list[tuple[str, str]]]:
    """What has run: task ids and comments, in order."""
    noted: list[tuple[str, str]] = []
    sample_unique.during.append(lambda task_id, comment: noted.append((task_id, comment)))
    yield noted
    sample_unique.during.clear()
