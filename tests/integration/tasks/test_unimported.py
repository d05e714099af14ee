"""A process that has imported no module with tasks: the relay, a web process, a shell. It ends jobs all the same."""

from __future__ import annotations

import subprocess
import sys

import pytest

from apps.orders.models import Order
from apps.orders.tasks import reserve_stock
from project.env import PROJECT_ROOT
from tasks import Batch, publish
from tasks.enqueue.models import OutboxMessage
from tasks.failure.letter_models import DeadLetter
from tests.shop import placed

pytestmark = pytest.mark.django_db(transaction=True)


def manage(environment: dict[str, str], *command: str) -> str:
    """Run a command of the project in a process of its own; return what it says."""
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return done.stdout


def test_the_first_job_that_a_relay_sets_aside_is_mourned_like_the_others(process_environment: dict[str, str]) -> None:
    """`orders.reserve_stock` cancels its order when it dies."""
    orders = [placed(), placed()]
    OutboxMessage.objects.all().delete()
    for order in orders:
        publish("orders.reserve_stock", order_id=order.pk)
    OutboxMessage.objects.update(exchange="nowhere", routing_key="nowhere")

    manage(process_environment, "relay", "--once")

    assert DeadLetter.objects.count() == len(orders)
    assert set(Order.objects.values_list("state", flat=True)) == {"cancelled"}


def test_what_is_cancelled_there_is_counted_by_its_batch(process_environment: dict[str, str]) -> None:
    """It would wait for it for ever otherwise."""
    with Batch() as batch:
        task_id = batch.add(reserve_stock.si(1))

    assert "True" in manage(process_environment, "shell", "-c", f"from tasks import cancel; print(cancel({task_id!r}))")

    assert Batch.progress(batch.id).dead == 1
