"""Placing orders while the broker hangs or is gone: the customer doesn't notice, and every order is fulfilled later."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median

import pytest

from apps.orders.models import Order
from project.local.ports import FreePorts
from project.local.valkey import BrokerValkey
from project.local.waiting import wait_until
from tests.chaos.shop_floor import ShopFloor
from tests.servers.shop_front import ShopFront

REQUESTS = 15
# Of two medians in one run. A request that waited for the broker would take seconds, a hundred times as long; what else
# runs on the machine may make one median a few times the other.
AS_FAST = 10.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerValkey]:
    """A broker of the test's own, so that it can be stopped."""
    server = BrokerValkey(directory=tmp_path / "broker", port=FreePorts().pick("broker"), name="broker")
    server.start()
    yield server
    server.kill()


@pytest.mark.timeout(150)
def test_orders_are_taken_as_fast_without_the_broker_and_fulfilled_when_it_returns(
    process_environment: dict[str, str], broker: BrokerValkey, tmp_path: Path
) -> None:
    """First it hangs, as behind a network that swallows packets; then its process is killed."""
    environment = {**process_environment, "BROKER_URL": broker.url}
    web = ShopFront(environment=environment, directory=tmp_path)
    floor = ShopFloor(directory=tmp_path, environment=environment)
    web.start()
    try:
        with floor:
            placed(web, "warming up", 3)
            with_it = placed(web, "with it", REQUESTS)
            os.kill(broker.child.pid, signal.SIGSTOP)
            while_it_hangs = placed(web, "hanging", REQUESTS)
            broker.kill()
            without_it = placed(web, "gone", REQUESTS)
            assert max(while_it_hangs, without_it) < AS_FAST * with_it, (with_it, while_it_hangs, without_it)
            broker.start()
            orders = list(Order.objects.values_list("pk", flat=True))
            done = wait_until(lambda: floor.fulfilled(orders) == len(orders), within=timedelta(seconds=90))
            assert done, (floor.tally(orders), floor.children["worker0"].log_tail())
            tally = floor.tally(orders)
    finally:
        web.child.kill()
    assert len(orders) == 3 + 3 * REQUESTS
    assert (tally.lost, tally.charged, tally.charged_twice) == (0, len(orders), 0)


def placed(web: ShopFront, prefix: str, count: int) -> float:
    """Place *count* orders; return the median of the seconds that an answer took."""
    took = []
    for number in range(count):
        began = time.perf_counter()
        answer = web.place(f"{prefix} {number}")
        took.append(time.perf_counter() - began)
        assert answer.status_code == 201, answer.text
    return median(took)
