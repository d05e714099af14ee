"""Playing one scenario on one transport, in a directory and on servers of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from tests.chaos.arena import Arena
from tests.chaos.outcome import Outcome
from tests.chaos.scenario import Scenario
from tests.chaos.worker import PREFORK


def play(
    scenario: Scenario,
    *,
    transport: str,
    lease: timedelta,
    seed: int = 1,
    ledger: bool = False,
    environment: Mapping[str, str] | None = None,
    keep: Path | None = None,
    pool: str = PREFORK,
) -> Outcome:
    """Play it and count.

    ledger: jobs are toolkit tasks; Django is set up here and in *environment*. keep: where logs, journal and the
    broker's files are left; without it nothing is.
    """
    with (
        _directory(keep) as directory,
        Arena(
            directory=directory,
            environment=os.environ if environment is None else environment,
            transport=transport,
            lease=lease,
            seed=seed,
            ledger=ledger,
            always=scenario.always,
            pool=pool,
        ) as arena,
    ):
        scenario.play(arena)
        return arena.outcome(scenario.name)


@contextmanager
def _directory(keep: Path | None) -> Iterator[Path]:
    if keep:
        keep.mkdir(parents=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="rootstock-chaos-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


@contextmanager
def database(wanted: bool) -> Iterator[None]:
    """A PostgreSQL for the ledger, with Django set up on it, where one is wanted."""
    if not wanted:
        yield
        return
    from benchmarks.servers import servers

    with servers():
        yield
