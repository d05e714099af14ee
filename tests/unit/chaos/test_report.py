"""The page about chaos says what was measured, and nothing is left of what was measured before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.chaos.outcome import Outcome
from tests.chaos.record import record_merge, record_read
from tests.chaos.report import BEGIN, END, PAGE, page_write, table

GOOD = Outcome(
    scenario="worker_killed",
    transport="lease",
    sent=10,
    refused=0,
    done=10,
    kept=0,
    lost=0,
    forgotten=0,
    stuck=0,
    doubled=1,
    needless=0,
    most_runs=2,
    doubled_effects=None,
    harms=1,
    recovery_seconds=5.0,
    lease_seconds=5.0,
    seconds=12.0,
    poison=0,
    seed=1,
)


def test_what_misses_the_promise_is_named_and_bold() -> None:
    """Each figure by itself."""
    bad = replace(GOOD, lost=2, recovery_seconds=6.6)
    assert GOOD.misses() == []
    assert bad.misses() == ["lost", "recovery_seconds"]
    assert "**2**" in table([bad])
    assert "**1.32**" in table([bad])
    assert "**" not in table([GOOD])


def test_a_figure_that_cannot_be_perfect_is_no_miss() -> None:
    """A scenario says so, and why."""
    assert replace(GOOD, lost=2).misses(frozenset({"lost"})) == []


def test_poison_that_is_not_put_aside_is_a_miss_and_so_is_a_job_that_is() -> None:
    """The intake is for what can't be done, and for nothing else."""
    assert replace(GOOD, poison=1).misses() == ["kept"]
    assert replace(GOOD, kept=1).misses() == ["kept"]
    assert replace(GOOD, kept=1, poison=1).misses() == []


def test_a_new_measurement_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    """Of the same scenario, transport and kind of job."""
    file = tmp_path / "chaos.jsonl"
    record_merge([GOOD, replace(GOOD, transport="stock", lost=3)], file)
    record_merge([replace(GOOD, sent=20), replace(GOOD, doubled_effects=0)], file)
    assert [(one.name, one.transport, one.sent) for one in record_read(file)] == [
        ("worker_killed", "lease", 20),
        ("worker_killed", "stock", 10),
        ("worker_killed, ledger", "lease", 10),
    ]


def test_the_page_keeps_what_was_written_by_hand(tmp_path: Path) -> None:
    """Only what stands between the marks is replaced."""
    page = tmp_path / "chaos.md"
    page.write_text(f"before\n{BEGIN}old\n{END}after\n")
    page_write([GOOD], page)
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}")
    assert text.endswith(f"{END}after\n")
    assert "old" not in text
    assert "`worker_killed`" in text


def test_the_page_is_the_record(tmp_path: Path) -> None:
    """Nobody has typed a figure into the table."""
    page = tmp_path / "chaos.md"
    page.write_text(PAGE.read_text())
    page_write(record_read(), page)
    assert page.read_text() == PAGE.read_text()
