"""What the chaos scenarios count: a harness that miscounts proves nothing."""

from __future__ import annotations

from tests.chaos.journal import Run
from tests.chaos.tally import Harm, needless, recovery_seconds


def run(job: int, worker: str, started_at: float, ended_at: float | None = None) -> Run:
    return Run(job=job, worker=worker, started_at=started_at, ended_at=ended_at)


def harmed(*, final: bool = False, **workers: float) -> dict[str, list[Harm]]:
    return {name: [Harm(at=at, final=final)] for name, at in workers.items()}


def test_a_second_run_after_the_death_of_the_first_ones_worker_is_needed() -> None:
    """The first was cut, so that nobody can know how far it got."""
    assert needless([run(1, "a", 10), run(1, "b", 15, 16)], harmed(a=11.0)) == []


def test_a_second_run_beside_a_living_first_one_is_needless() -> None:
    """That is what a visibility timeout does to a slow job."""
    assert needless([run(1, "a", 10, 20), run(1, "b", 15, 16)], harmed(b=15.5)) == [1]


def test_a_worker_that_died_long_after_the_end_of_a_run_excuses_nothing() -> None:
    """By then the job should have been acknowledged."""
    assert needless([run(1, "a", 10, 11), run(1, "b", 20, 21)], harmed(a=15.0)) == [1]
    assert needless([run(1, "a", 10, 11), run(1, "b", 20, 21)], harmed(a=11.5)) == []


def test_a_frozen_worker_excuses_only_what_it_ran_then() -> None:
    """What it begins after it was thawed, it can finish."""
    assert needless([run(1, "a", 10, 11), run(1, "b", 12, 13)], harmed(a=9.0)) == [1]


def test_what_a_killed_worker_still_begins_is_cut_as_well() -> None:
    """The child of a dead parent may begin the job that it was handed just before."""
    assert needless([run(1, "a", 10, 11), run(1, "b", 12, 13)], harmed(final=True, a=9.9)) == []


def test_each_of_several_runs_needs_its_own_excuse() -> None:
    """One death allows one more run."""
    harms = harmed(a=11.0)
    assert needless([run(1, "a", 10), run(1, "b", 15, 16), run(1, "c", 17, 18)], harms) == [1]


def test_recovery_is_the_longest_time_from_harm_to_the_next_start() -> None:
    """Of the jobs that were cut, and of no others."""
    runs = [run(1, "a", 10), run(2, "a", 10), run(3, "b", 10, 60), run(1, "b", 14), run(2, "b", 16), run(3, "a", 70)]
    assert recovery_seconds(runs, harmed(a=11.0)) == 5.0


def test_without_a_cut_job_there_is_no_recovery() -> None:
    """None, not zero: nothing was recovered."""
    assert recovery_seconds([run(1, "a", 10, 11)], harmed(a=15.0)) is None
