"""What a scenario is, and how it is found by its name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from tests.chaos.arena import Arena

Play = Callable[[Arena], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One way in which things go wrong.

    name: words with underscores; story: what is done, in one line. play: does it, and returns when all is over.
    always: the broker fsyncs each write. with_ledger: its jobs can be toolkit tasks as well.
    allowed: figures that can't be perfect here on any transport; because: why.
    """

    name: str
    story: str
    play: Play
    always: bool = False
    with_ledger: bool = True
    allowed: frozenset[str] = frozenset()
    because: str = ""


_SCENARIOS: dict[str, Scenario] = {}


def scenario(
    name: str,
    story: str,
    *,
    always: bool = False,
    with_ledger: bool = True,
    allowed: Iterable[str] = (),
    because: str = "",
) -> Callable[[Play], Play]:
    """Register the decorated function under *name*."""

    def register(play: Play) -> Play:
        _SCENARIOS[name] = Scenario(
            name=name,
            story=story,
            play=play,
            always=always,
            with_ledger=with_ledger,
            allowed=frozenset(allowed),
            because=because,
        )
        return play

    return register


@cache
def scenarios() -> dict[str, Scenario]:
    """All of them by name, in the order of their files' names."""
    package = importlib.import_module("tests.chaos.scenarios")
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return _SCENARIOS
