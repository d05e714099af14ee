"""Whether a server may be trusted with jobs. Asked when a worker starts, and refused with what to do.

The answers come from INFO, which managed services allow where they don't allow CONFIG.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from redis import Redis

REFUSE: Final = "refuse"
WARN: Final = "warn"
MODES: Final = (REFUSE, WARN)
OLDEST: Final = (6, 2)


class ServerUnfit(RuntimeError):
    """The broker's server would lose jobs, or can't do what is needed."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "the broker's server is not fit for jobs: " + " ".join(self.problems)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about a server. fatal: also where others are only told of."""

    text: str
    fatal: bool


def server_check(client: Redis, cache_url: str = "", *, mode: str = REFUSE) -> tuple[str, ...]:
    """What is wrong with the server and can be lived with; the worker should log it.

    cache_url: of the project's cache, if it has one on such a server. mode: REFUSE, or WARN in development.
    Raises ServerUnfit; ValueError for another mode.
    """
    if mode not in MODES:
        raise ValueError(f"server_checks is {mode!r}: expected one of {', '.join(MODES)}")
    about: Mapping[str, Any] = client.info()
    problems = problems_of(about, _about_cache(cache_url) if cache_url else {})
    refused = tuple(problem.text for problem in problems if problem.fatal or mode == REFUSE)
    if refused:
        raise ServerUnfit(refused)
    return tuple(problem.text for problem in problems)


def _about_cache(url: str) -> Mapping[str, Any]:
    with closing(Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)) as cache:
        about: Mapping[str, Any] = cache.info()
        return about


def problems_of(about: Mapping[str, Any], of_cache: Mapping[str, Any]) -> list[Problem]:
    """What INFO says that shouldn't be so."""
    problems = []
    version = tuple(int(part) for part in str(about["redis_version"]).split(".")[:2])
    if version < OLDEST:
        problems.append(Problem(f"It is Redis {about['redis_version']}: use 6.2 or newer, or Valkey.", fatal=True))
    policy = about.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        text = f"Its maxmemory-policy is {policy}, so it deletes jobs when it is full: set maxmemory-policy noeviction."
        problems.append(Problem(text, fatal=bool(about.get("maxmemory"))))
    if not about.get("aof_enabled"):
        text = "It has no append-only file, so a restart loses jobs: set appendonly yes (and appendfsync everysec)."
        problems.append(Problem(text, fatal=False))
    if of_cache and of_cache.get("run_id") == about.get("run_id"):
        text = "It serves the cache as well, which fills it up: give the cache a server of its own."
        problems.append(Problem(text, fatal=False))
    return problems
