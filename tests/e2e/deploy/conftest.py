"""The stack of docker-compose.yml, running as processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.compose.running import RunningStack
from tests.compose.visitor import Visitor


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Everything of ours, healthy, on the file's own Postgres and Valkey servers."""
    with RunningStack(tmp_path_factory.mktemp("compose")) as running:
        running.up("mailpit", *(service.name for service in running.local.compose.ours))
        yield running


@pytest.fixture(scope="package")
def visitor(stack: RunningStack) -> Iterator[Visitor]:
    """Somebody logged in."""
    client = Visitor(stack.local)
    yield client
    client.close()
