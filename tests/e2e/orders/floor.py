"""The Procfile's workers of the classes that orders go through, on the test's database and broker."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis
from django.contrib.auth.models import User
from django.db import connection
from honcho.environ import parse_procfile

from apps.orders.models import Order
from apps.orders.pipelines import fulfilment
from config.queues import QUEUES
from project.celery import app
from project.env import PROJECT_ROOT
from project.local.ports import HOST, FreePorts
from project.local.smtp_sink import read_mails
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.outbox import enqueue
from tasks.operation.health import messages_held, queue_depths
from tasks.testing.processes import ProcessContainer
from tasks.testing.waiting import eventually
from tasks.testing.worker_process import WorkerProcess
from tests import shop
from tests.servers.embedded import plain
from tests.servers.payment_sandbox import PaymentSandbox

CLASSES = ("critical", "default", "low")

# Of the waits that are declared: 10, 30, 90 and 270 s between the attempts to charge.
SCALE = 0.01
# Time enough for the provider to answer on a busy machine.
STRIPE_TIMEOUT = 1.5

WITHIN = timedelta(seconds=60)


class Floor:
    """`workers` by class, `payments` the provider, `mails` what customers were told."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ends = ExitStack()
        self.payments = PaymentSandbox(directory)
        self.workers: dict[str, WorkerProcess] = {}

    def __enter__(self) -> Self:
        with ExitStack() as ends:
            self._start(ends)
            self._ends = ends.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.close()

    def send(self, orders: Iterable[Order]) -> None:
        """Start the fulfilment of *orders*."""
        for order in orders:
            enqueue(fulfilment(order.pk))

    def await_over(self, *orders: Order) -> list[Order]:
        """Wait until no step will move the orders any more, and all that was sent on their way is done."""
        eventually(lambda: all(shop.again(order).is_over for order in orders), within=WITHIN, because=self._story)
        self.await_rest()
        return [shop.again(order) for order in orders]

    def await_rest(self) -> None:
        """Wait until no message waits and none is in a worker's hands."""
        eventually(self._at_rest, within=WITHIN, because=self._story)

    def charges(self, order: Order) -> list[int]:
        """What the provider took for the order, in cents, by its own books."""
        return [payment["amount"] for payment in self.payments_of(order) if payment["status"] == "succeeded"]

    def refunded(self, order: Order) -> int:
        """What the provider gave back of it, in cents."""
        return sum(payment["refunded"] for payment in self.payments_of(order))

    def payments_of(self, order: Order) -> list[dict[str, Any]]:
        """The payments of the order in the provider's books, declined ones too."""
        payments = self.payments.books()["charges"]
        return [payment for payment in payments if payment["metadata"]["order_id"] == str(order.pk)]

    def ran_on(self, customer: User) -> dict[str, set[str]]:
        """On which classes of worker each task ran that *customer* had started, by the workers' logs."""
        ran: dict[str, set[str]] = {}
        for name, worker in self.workers.items():
            for line in map(json.loads, filter(lambda line: line.startswith("{"), worker.logs().splitlines())):
                if line["event"] == "task_started" and line.get("user_id") == customer.pk:
                    ran.setdefault(line["task"], set()).add(name)
        return ran

    def mails(self, order: Order) -> list[EmailMessage]:
        """The mails about the order."""
        subject = f"Your order {order.pk} is on its way"
        return [mail for mail in read_mails(self._directory / "mail") if mail["Subject"] == subject]

    def _start(self, ends: ExitStack) -> None:
        with redis.Redis.from_url(plain(os.environ["BROKER_URL"])) as client:
            client.flushdb()
        self.payments.start()
        ends.callback(self.payments.stop)
        smtp_port = FreePorts().pick("smtp sink")
        sink = ProcessContainer(
            [
                *(sys.executable, "-m", "project.local.smtp_sink", "--host", HOST, "--port", str(smtp_port)),
                *("--dir", str(self._directory / "mail")),
            ],
            name="smtp_sink",
            directory=self._directory,
            environment={"PYTHONPATH": str(PROJECT_ROOT)},
        )
        ends.callback(sink.teardown)
        relay = ProcessContainer(
            [sys.executable, "-m", "django", "relay", "--sweep", "0.3"],
            name="relay",
            directory=self._directory,
            environment=self._environment(smtp_port),
        )
        ends.callback(relay.teardown)
        commands = parse_procfile((PROJECT_ROOT / "Procfile").read_text()).processes
        for name in CLASSES:
            worker = self.workers[name] = WorkerProcess(
                commands[f"worker_{name}"].split(),
                directory=self._directory,
                name=name,
                environment=self._environment(smtp_port),
            )
            ends.callback(worker.teardown)
        eventually(lambda: "taking mails" in sink.logs(), within=WITHIN, because=sink.logs)
        for worker in self.workers.values():
            worker.ready()

    def _environment(self, smtp_port: int) -> dict[str, str]:
        server = os.environ["DATABASE_URL"].rpartition("/")[0]
        return {
            "PYTHONPATH": str(PROJECT_ROOT),
            "DJANGO_SETTINGS_MODULE": "project.settings.test",
            "DATABASE_URL": f"{server}/{connection.settings_dict['NAME']}",
            "BROKER_URL": os.environ["BROKER_URL"],
            "CACHE_URL": os.environ["CACHE_URL"],
            "EMAIL_URL": f"smtp://{HOST}:{smtp_port}",
            "STRIPE_API_BASE": self.payments.url,
            "STRIPE_TIMEOUT": str(STRIPE_TIMEOUT),
            "RETRY_TIME_SCALE": str(SCALE),
            "LEASE_TIME_SCALE": str(SCALE),
            "LOG_FORMAT": "json",
        }

    def _at_rest(self) -> bool:
        in_broker = any(messages_held(app, QUEUES).values())
        return not in_broker and not OutboxMessage.objects.filter(finished_at=None).exists()

    def _story(self) -> str:
        orders = [(order.pk, order.state, shop.steps_of(order)) for order in Order.objects.order_by("pk")[:5]]
        return f"{orders} {queue_depths(app, QUEUES)}"
