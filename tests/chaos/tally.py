"""Counting doubles and recovery from what really ran and what was really harmed."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.journal import Run

# A run that ended this short before its worker died may not have been acknowledged yet.
ACK_WITHIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """What was done to one incarnation of a worker. final: it was killed; what it still began afterwards is cut too."""

    at: float
    final: bool


Harms = Mapping[str, Sequence[Harm]]


def runs_by_job(runs: Iterable[Run]) -> dict[int, list[Run]]:
    """The runs of each job, in the order of their starts."""
    jobs: dict[int, list[Run]] = defaultdict(list)
    for run in runs:
        jobs[run.job].append(run)
    return jobs


def cut_at(run: Run, harms: Harms) -> float | None:
    """When its worker was harmed so that the run was cut, or could not be acknowledged; None if it was not."""
    end = float("inf") if run.ended_at is None else run.ended_at + ACK_WITHIN_SECONDS
    for harm in harms.get(run.worker, ()):
        if harm.at <= end and (harm.final or run.started_at <= harm.at):
            return harm.at
    return None


def needless(runs: Iterable[Run], harms: Harms) -> list[int]:
    """Jobs that ran again though no earlier run of theirs was cut short by harm to its worker."""
    return sorted(
        job for job, its_runs in runs_by_job(runs).items() if any(cut_at(run, harms) is None for run in its_runs[:-1])
    )


def recovery_seconds(runs: Iterable[Run], harms: Harms) -> float | None:
    """The longest time from harm until a job that it cut began anew; None if none was cut and began anew."""
    times = [
        again.started_at - harm
        for its_runs in runs_by_job(runs).values()
        for run, again in itertools.pairwise(its_runs)
        if (harm := cut_at(run, harms)) is not None and again.started_at > harm
    ]
    return round(max(times), 2) if times else None
