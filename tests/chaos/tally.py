"""Counting doubles and recovery from what really ran and what was really harmed."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tests.chaos.journal import Run

# A run that ended this short before its worker died may not have been acknowledged yet.
ACK_WITHIN_SECONDS = 1.0

Harms = Mapping[str, Sequence[float]]


def runs_by_job(runs: Iterable[Run]) -> dict[int, list[Run]]:
    """The runs of each job, in the order of their starts."""
    jobs: dict[int, list[Run]] = defaultdict(list)
    for run in runs:
        jobs[run.job].append(run)
    return jobs


def cut_at(run: Run, harms: Harms) -> float | None:
    """When its worker was harmed while the run was under way or unacknowledged; None if it was not."""
    end = float("inf") if run.ended_at is None else run.ended_at + ACK_WITHIN_SECONDS
    return next((harm for harm in harms.get(run.worker, ()) if run.started_at <= harm <= end), None)


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
