"""Real servers for the whole suite.

They start before Django's settings are read, once a run: in the only process, or in the one that hands out the work
when tests run in parallel. The parallel processes find the addresses in the environment. Whatever way the run ends,
the servers end with it (see `project.local.leash`).

Where the servers can't run, the tests that need them are skipped on a laptop, and the run fails in CI.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest
import redis

from project.local.errors import ServiceFailed
from tests.servers.brokers import broker_servers
from tests.servers.embedded import plain, servers_start, share_take

__all__ = ["broker_servers"]  # a fixture, for pytest to find here

MISSING = "TEST_SERVERS_MISSING"
NEED_NO_SERVERS = ("tests/unit/", "tests/architecture/")
RUN_NOTHING = {"--help", "-h", "--version", "-V", "--collect-only", "--co", "--fixtures", "--markers"}


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> Generator[None, object, object]:
    """Start the servers, or take this process's share of them, before anybody reads the settings."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings.test"  # importing `project` has chosen the local ones
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        share_take(worker)
    elif not RUN_NOTHING.intersection(args):
        _start(early_config)
    return (yield)


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers() -> int:
    """Tests wait for processes now and then: two on a core keep it busy, as far as eight go."""
    cores = os.cpu_count() or 1
    return max(cores, min(2 * cores, 8))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what needs the servers when they could not be started."""
    reason = os.environ.get(MISSING)
    if not reason:
        return
    for item in items:
        if not item.path.relative_to(config.rootpath).as_posix().startswith(NEED_NO_SERVERS):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def clean_broker() -> str:
    """The URL of a broker without messages, this process's own."""
    from tasks.delivery.keeper import release_all

    release_all()  # or the keeper of a connection that an earlier test has left open would write there during this one
    return _emptied("BROKER_URL")


@pytest.fixture
def clean_cache() -> str:
    """The URL of an empty cache, this process's own."""
    return _emptied("CACHE_URL")


@pytest.fixture
def process_environment(transactional_db: None, clean_broker: str, clean_cache: str) -> dict[str, str]:
    """The variables for processes that work on the same database, broker and cache as the test."""
    from django.db import connection

    url = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{connection.settings_dict['NAME']}"
    return {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "project.settings.test"}


def _start(config: pytest.Config) -> None:
    try:
        config.add_cleanup(servers_start())
    except ServiceFailed as failure:
        if os.environ.get("CI", "").lower() in {"true", "1"}:
            raise pytest.UsageError(f"the suite's servers could not be started: {failure}") from failure
        os.environ[MISSING] = f"{failure.name} {failure.reason}; to do: {failure.advice}"


def _emptied(variable: str) -> str:
    url = os.environ[variable]
    with redis.Redis.from_url(plain(url)) as client:
        client.flushdb()
    return url
