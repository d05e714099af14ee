"""Whether a server may be trusted with jobs. Asked when a worker starts, and refused with what to do.

The answers come from INFO, which managed services allow where they don't allow CONFIG.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
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


def server_check(client: Redis, cache: Redis | None, *, mode: str = REFUSE) -> tuple[str, ...]:
    """What is wrong with the server and can be lived with; the worker should log it.

    cache: a client of the project's cache, if it has one. mode: REFUSE, or WARN in development.
    Raises ServerUnfit; ValueError for another mode.
    """
    if mode not in MODES:
        raise ValueError(f"server_checks is {mode!r}: expected one of {', '.join(MODES)}")
    about: Mapping[str, Any] = client.info()
    of_cache: Mapping[str, Any] = cache.info() if cache is not None else {}
    problems = problems_of(about, of_cache)
    refused = tuple(problem.text for problem in problems if problem.fatal or mode == REFUSE)
    if refused:
        raise ServerUnfit(refused)
    return tuple(problem.text for problem in problems)


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
