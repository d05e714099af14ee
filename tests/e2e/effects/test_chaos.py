"""Short forms of `./run chaos orders`, and of a broker that loses its memory."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import redis

from project.local.waiting import wait_until
from tests.chaos.orders import storm
from tests.chaos.shop_floor import ShopFloor
from tests.servers.embedded import plain


@pytest.mark.timeout(200)
def test_orders_survive_workers_killed_at_random(process_environment: dict[str, str], tmp_path: Path) -> None:
    """Every two seconds one of three workers is killed by SIGKILL."""
    with ShopFloor(directory=tmp_path, environment=process_environment, workers=3) as floor:
        tally, figures = storm(floor, orders=60, seed=7, within=timedelta(seconds=180), kills_at_least=4)
    sent = figures["sent"]
    assert (figures["kills"] >= 4, tally.lost, tally.charged, tally.charged_twice) == (True, 0, sent, 0)
    assert (tally.shipped, tally.mails) == (sent, sent)


@pytest.mark.timeout(200)
def test_a_broker_that_loses_its_memory_loses_no_order(process_environment: dict[str, str], tmp_path: Path) -> None:
    """FLUSHALL in the middle of 200 orders: the outbox knows what was sent and has not ended."""
    with ShopFloor(directory=tmp_path, environment=process_environment, workers=2) as floor:
        orders = floor.place(200)
        assert wait_until(lambda: floor.fulfilled(orders) > 20, within=timedelta(seconds=90))
        with redis.Redis.from_url(plain(process_environment["BROKER_URL"])) as broker:
            broker.flushdb()  # FLUSHALL for what is ours: other tests have databases of their own on this server
        assert floor.fulfilled(orders) < 200

        def over() -> bool:
            floor.tend()
            return floor.fulfilled(orders) == len(orders)

        done = wait_until(over, within=timedelta(seconds=150), pause=timedelta(milliseconds=300))
        tally = floor.tally(orders)
    assert done, tally
    assert (tally.lost, tally.charged, tally.charged_twice) == (0, 200, 0)
    assert (tally.shipped, tally.mails) == (200, 200)
