"""The pytest plugin: pytest-celery's fixtures on local processes, or with `--docker` on its containers.

Which of the two is decided once, when the run is configured; a test asks for `celery_setup` and doesn't know.
"""

from __future__ import annotations

import shutil

import pytest

from . import process_fixtures, single_nodes


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--docker`."""
    parser.getgroup("tasks").addoption(
        "--docker",
        action="store_true",
        help="run what works on celery nodes on pytest-celery's containers instead of local processes",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Put processes under pytest-celery's fixtures, unless containers are asked for.

    Of two plugins' fixtures the one registered later counts, and pytest-celery registers itself before this is called.
    """
    config.pluginmanager.register(single_nodes, single_nodes.__name__)
    if not config.getoption("--docker"):
        config.pluginmanager.register(process_fixtures, process_fixtures.__name__)


@pytest.fixture(scope="session")
def redis_server_command() -> list[str]:
    """The program behind `RedisProcess`. A project that has one of its own overrides this."""
    for program in ("valkey-server", "redis-server"):
        if path := shutil.which(program):
            return [path]
    pytest.fail("neither valkey-server nor redis-server is on PATH: install one, or override redis_server_command")
