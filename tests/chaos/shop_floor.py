"""Everything that fulfils orders, as processes that can be killed: a worker, a relay, a payment sandbox, a mail sink.

The database and the broker are the caller's. Whatever dies is started again by `tend`, as a supervisor would.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from config.queues import QUEUES
from project.env import PROJECT_ROOT
from project.local.child import Child
from project.local.payment_sandbox.client import SandboxClient
from project.local.ports import HOST, FreePorts
from project.local.smtp_sink import read_mails
from project.local.waiting import wait_until

# How long a job may be under way before it is taken for lost, and what a lease of a minute becomes.
UNFINISHED_AFTER = timedelta(seconds=4)
LEASE_TIME_SCALE = 0.03
VISIBILITY_TIMEOUT = 2
PYTHON = [sys.executable, "-m"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of the orders, each figure counted where it happened.

    lost: orders that did not come to their end. charged_twice, shipped_twice: orders with more than one of it.
    mailed_twice: orders with more than one confirmation; mails: different Message-IDs among them all.
    """

    fulfilled: int
    lost: int
    charged: int
    charged_twice: int
    shipped: int
    mails: int
    mailed_twice: int


class ShopFloor:
    """A context manager; the processes run inside it."""

    def __init__(
        self, *, directory: Path, environment: Mapping[str, str], workers: int = 1, crash_at: str = ""
    ) -> None:
        ports = FreePorts()
        sandbox, smtp = ports.pick("payment sandbox"), ports.pick("smtp")
        self.mail = directory / "mail"
        self.sandbox = SandboxClient(f"http://{HOST}:{sandbox}")
        self.environment = {
            **environment,
            "STRIPE_API_BASE": self.sandbox.url,
            "EMAIL_URL": f"smtp://{HOST}:{smtp}",
            "LEASE_TIME_SCALE": str(LEASE_TIME_SCALE),
            "RETRY_TIME_SCALE": "0.02",
            "VISIBILITY_TIMEOUT": str(VISIBILITY_TIMEOUT),
            "CRASH_AT": crash_at,
        }
        worker = [*PYTHON, "celery", "-A", "project", "worker", "--queues", ",".join(QUEUES)]
        commands = {
            "sandbox": [*PYTHON, "project.local.payment_sandbox", "--host", HOST, "--port", str(sandbox),
                        "--books", str(directory / "books.jsonl")],
            "smtp": [*PYTHON, "project.local.smtp_sink", "--host", HOST, "--port", str(smtp), "--dir", str(self.mail)],
            "relay": [sys.executable, "manage.py", "relay", "--sweep", "0.5"],
            **{
                f"worker{number}": [*worker, "--hostname", f"worker{number}@%h", "--concurrency", "1",
                                    "--without-gossip", "--without-mingle"]
                for number in range(workers)
            },
        }  # fmt: skip
        self.children = {
            name: Child(
                name=name,
                command=command,
                environment=self.environment,
                directory=PROJECT_ROOT,
                log=directory / f"{name}.log",
            )
            for name, command in commands.items()
        }
        self.restarts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        for child in self.children.values():
            child.start()
        assert wait_until(self.sandbox.is_up, within=timedelta(seconds=30)), self.children["sandbox"].log_tail()
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.children.values():
            child.kill()

    def tend(self) -> None:
        """Start again what has died, and send again what was lost with it."""
        from celery import current_app

        from tasks.operation.reconciler import unfinished_send_again

        for name, child in self.children.items():
            if not child.alive:
                self.restarts[name] += 1
                child.start()
        unfinished_send_again(current_app, older_than=UNFINISHED_AFTER)

    def place(self, count: int) -> list[int]:
        """Place *count* orders; return their ids."""
        from django.contrib.auth.models import User
        from django.db import transaction

        from apps.orders.models import Product
        from apps.orders.pipelines import fulfilment
        from apps.orders.services.placing import order_place
        from tasks.enqueue.outbox import enqueue

        customer, _ = User.objects.get_or_create(username="chaos")
        Product.objects.update_or_create(
            sku="CHAOS", defaults={"name": "Chaos", "price_cents": 1000, "stock": 10_000_000}
        )
        placed = []
        for _ in range(count):
            with transaction.atomic():
                order = order_place(
                    customer=customer,
                    email="chaos@example.com",
                    quantities={"CHAOS": 1},
                    payment_method="pm_card_visa",
                )
                enqueue(fulfilment(order.pk))
            placed.append(order.pk)
        return placed

    def fulfilled(self, orders: list[int]) -> int:
        """How many of *orders* are fulfilled."""
        from apps.orders.models import Order

        return Order.objects.filter(pk__in=orders, state=Order.State.FULFILLED).count()

    def tally(self, orders: list[int]) -> Tally:
        """Count everything, where it happened."""
        from apps.orders.models import Shipment

        fulfilled = self.fulfilled(orders)
        charges = Counter(
            charge["metadata"]["order_id"]
            for charge in self.sandbox.books()["charges"]
            if charge["status"] == "succeeded"
        )
        mails: list[Any] = read_mails(self.mail)
        subjects = Counter(str(mail["Subject"]) for mail in mails)
        return Tally(
            fulfilled=fulfilled,
            lost=len(orders) - fulfilled,
            charged=len(charges),
            charged_twice=sum(1 for times in charges.values() if times > 1),
            shipped=Shipment.objects.filter(order_id__in=orders).count(),
            mails=len({str(mail["Message-ID"]) for mail in mails}),
            mailed_twice=sum(1 for times in subjects.values() if times > 1),
        )

    @property
    def workers(self) -> list[Child]:
        """The workers that are alive."""
        return [child for name, child in self.children.items() if name.startswith("worker") and child.alive]
