"""Local processes under the names of pytest-celery's containers. Registered by `plugin` unless `--docker` is given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .redis_process import RedisProcess
from .worker_process import WorkerProcess


@pytest.fixture
def default_redis_broker(
    redis_server_command: list[str], default_redis_broker_command: list[str], tmp_path: Path
) -> Iterator[RedisProcess]:
    """The broker's server."""
    yield from _redis("broker", redis_server_command, default_redis_broker_command, tmp_path)


@pytest.fixture
def default_redis_backend(
    redis_server_command: list[str], default_redis_backend_command: list[str], tmp_path: Path
) -> Iterator[RedisProcess]:
    """The result backend's server."""
    yield from _redis("backend", redis_server_command, default_redis_backend_command, tmp_path)


@pytest.fixture
def default_worker_container(
    default_worker_command: list[str],
    default_worker_env: dict[str, str],
    default_worker_initial_content: dict[str, bytes],
    tmp_path: Path,
) -> Iterator[WorkerProcess]:
    """The worker, on the broker and the backend that its variables name."""
    worker = WorkerProcess(
        default_worker_command,
        directory=tmp_path / "worker",
        content=default_worker_initial_content,
        # pytest-celery's variables are a container's: its path is none of ours.
        environment={name: value for name, value in default_worker_env.items() if name != "PYTHONPATH"},
    )
    worker.ready()
    yield worker
    worker.teardown()


def _redis(name: str, program: list[str], command: list[str], directory: Path) -> Iterator[RedisProcess]:
    """pytest-celery's command begins with the image's program; ours stands in its place."""
    server = RedisProcess(program, directory=directory / name, name=name, options=command[1:])
    server.ready()
    yield server
    server.teardown()
