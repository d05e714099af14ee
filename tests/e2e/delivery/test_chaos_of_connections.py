"""Short forms of `./run chaos NAME`: what the network does to a worker that lives, with a lease of three seconds."""

from __future__ import annotations

import pytest

from tests.chaos.transports import STOCK
from tests.e2e.delivery.short_forms import TIMED, short

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize(
    "name", ["lost_reply_claim", "lost_reply_ack", "lost_reply_publish", "client_kill_ack", "half_open"]
)
def test_a_living_worker_loses_and_repeats_nothing(name: str) -> None:
    """Whatever becomes of its connections: every job runs once."""
    outcome = short(name)
    assert outcome.harms > 0
    assert outcome.misses(TIMED) == [], outcome.line
    assert (outcome.done, outcome.doubled) == (outcome.sent, 0)


@pytest.mark.parametrize(("name", "figure"), [("lost_reply_claim", "lost"), ("lost_reply_publish", "needless")])
def test_the_scenarios_bite(name: str, figure: str) -> None:
    """Celery's own transport loses and doubles in them. If it did not, they would show nothing of ours."""
    assert figure in short(name, transport=STOCK).misses()
