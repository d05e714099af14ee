"""Crashes where nothing is in anybody's hands: after a step's ack, and in the web between the commit and its answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from celery import current_app

from apps.orders.models import Order
from config.queues import QUEUES
from project.local.waiting import wait_until
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.relay import Relay
from tasks.operation.health import messages_held
from tests.chaos.shop_floor import ShopFloor
from tests.servers.shop_front import ShopFront

STEPS = ("orders.reserve_stock", "orders.charge_payment", "orders.request_shipment", "orders.send_confirmation")
WITHIN = timedelta(seconds=60)


def test_a_worker_killed_after_the_ack_of_each_step_loses_and_doubles_nothing(
    process_environment: dict[str, str], tmp_path: Path
) -> None:
    """The next step is only a row then: no broker and no worker knows of it. The test is the relay, so that it is."""
    floor = ShopFloor(directory=tmp_path, environment=process_environment)
    del floor.children["relay"]
    with floor, Relay(current_app) as relay:
        orders = floor.place(1)
        for step in STEPS:
            assert relay.send_batch().sent == 1
            done = OutboxMessage.objects.filter(name=step, state=OutboxMessage.State.SUCCEEDED)
            assert wait_until(done.exists, within=WITHIN), floor.children["worker0"].log_tail()
            assert wait_until(nothing_is_held, within=WITHIN)
            floor.children["worker0"].kill()
            floor.tend()
        assert relay.send_batch().sent == 0
        tally = floor.tally(orders)
    assert floor.restarts["worker0"] == len(STEPS)
    assert (tally.lost, tally.charged, tally.charged_twice, tally.shipped, tally.mails) == (0, 1, 0, 1, 1)


@pytest.fixture
def web(process_environment: dict[str, str], tmp_path: Path) -> Iterator[ShopFront]:
    """Not started; it dies once, after the commit of its first order and before the answer."""
    (tmp_path / "markers").mkdir()
    environment = {**process_environment, "CRASH_AT": f"web:after_commit@{tmp_path / 'markers'}"}
    web = ShopFront(environment=environment, directory=tmp_path)
    yield web
    web.child.kill()


def test_a_web_process_killed_between_commit_and_answer_places_one_order_that_is_fulfilled(
    web: ShopFront, process_environment: dict[str, str], tmp_path: Path
) -> None:
    """The customer never heard back and sends the request again, under its key: the same order, charged once."""
    web.start()
    with pytest.raises(httpx.TransportError):
        web.place("ada-1")
    assert wait_until(lambda: not web.child.alive, within=WITHIN)
    assert Order.objects.count() == 1
    web.start()
    again = web.place("ada-1")
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    with ShopFloor(directory=tmp_path, environment=process_environment) as floor:
        orders = [order.pk for order in Order.objects.all()]
        assert orders == [again.json()["id"]]
        done = wait_until(lambda: floor.fulfilled(orders) == 1, within=WITHIN)
        assert done, floor.children["worker0"].log_tail()
        tally = floor.tally(orders)
    assert (tally.charged, tally.charged_twice, tally.shipped, tally.mails) == (1, 0, 1, 1)


def nothing_is_held() -> bool:
    """Whether the broker has no message, neither waiting nor in a worker's hands: the last one was acknowledged."""
    return not any(messages_held(current_app, QUEUES).values())
