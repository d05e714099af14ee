"""Short forms of `./run chaos NAME`: what dies, freezes or takes long, with a lease of three seconds."""

from __future__ import annotations

import pytest

from tests.chaos.ledger_effects import effects_drop
from tests.e2e.delivery.short_forms import TIMED, short

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("name", ["worker_killed", "frozen_idle", "frozen_wakes", "poison_worker", "power_cut_always"])
def test_nothing_is_lost_nor_stuck_nor_run_again_without_need(name: str) -> None:
    """The promise of the leased transport, one kind of harm at a time."""
    outcome = short(name)
    assert outcome.harms > 0
    assert outcome.misses(TIMED) == [], outcome.line
    assert outcome.done == outcome.sent - outcome.poison


def test_what_waits_for_longer_than_the_lease_runs_once() -> None:
    """Running and prefetched alike: slow is not dead."""
    outcome = short("long_prefetch")
    assert (outcome.done, outcome.doubled, outcome.misses()) == (5, 0, []), outcome.line


def test_a_job_that_runs_again_has_its_effect_once(process_environment: dict[str, str]) -> None:
    """The worker dies in the middle of a toolkit task; the ledger knows that nothing was committed."""
    try:
        outcome = short("worker_killed", environment=process_environment)
    finally:
        effects_drop()
    assert (outcome.doubled, outcome.doubled_effects) == (1, 0), outcome.line
    assert outcome.misses(TIMED) == [], outcome.line
