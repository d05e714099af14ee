"""A worker that dies at any point of an order's way leaves an order that is fulfilled, charged and shipped once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from project.local.waiting import wait_until
from tests.chaos.shop_floor import ShopFloor

STEPS = ("orders.reserve_stock", "orders.charge_payment", "orders.request_shipment", "orders.send_confirmation")

# Boundaries of a step. `before_commit` is where the provider has answered and nothing is on record yet. No more than
# two at a time: a job that takes its worker with it three times is a dead letter.
BEFORE_THE_CALL, AFTER_IT = ("before_claim", "after_claim"), ("before_commit", "after_commit")

# Between a mail server's answer and the commit lies the one gap that no key closes: SMTP has none.
MAIL_GAP = "orders.send_confirmation:before_commit"


@pytest.mark.parametrize("boundaries", [BEFORE_THE_CALL, AFTER_IT], ids=["before the call", "after it"])
@pytest.mark.timeout(240)
def test_a_crash_at_every_boundary_of_every_step_loses_and_doubles_nothing(
    process_environment: dict[str, str], tmp_path: Path, boundaries: tuple[str, str]
) -> None:
    """The worker, its children too, is killed by SIGKILL the first time that each point is reached."""
    points = [*(f"{step}:{boundary}" for step in STEPS for boundary in boundaries), "relay:after_send"]
    markers = tmp_path / "markers"
    markers.mkdir()
    crash_at = f"{','.join(points)}@{markers}"
    with ShopFloor(directory=tmp_path, environment=process_environment, crash_at=crash_at) as floor:
        orders = floor.place(3)

        def over() -> bool:
            floor.tend()
            return floor.fulfilled(orders) == len(orders) and len(list(markers.iterdir())) == len(points)

        done = wait_until(over, within=timedelta(seconds=220), pause=timedelta(milliseconds=200))
        tally = floor.tally(orders)
        assert done, f"{tally}, reached {sorted(path.name for path in markers.iterdir())}"
    assert floor.restarts["worker0"] == len(points) - 1
    assert floor.restarts["relay"] == 1
    assert (tally.lost, tally.charged, tally.charged_twice) == (0, len(orders), 0)
    assert tally.shipped == len(orders)
    assert tally.mails == len(orders)
    assert tally.mailed_twice <= 1  # MAIL_GAP, under one Message-ID
