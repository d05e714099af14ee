"""The web server that production runs, as a process that can be killed, and a customer who is logged in to it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import httpx
from django.contrib.auth.models import User
from django.test import Client

from apps.orders.models import Product
from project.env import PROJECT_ROOT
from project.local.child import Child
from project.local.ports import HOST, FreePorts
from project.local.waiting import wait_until

UP_WITHIN = timedelta(seconds=60)
PRODUCT = "SHOP-FRONT"


class ShopFront:
    """`child` is the process, not started; `client` asks it as the customer. It sells one product."""

    def __init__(self, *, environment: Mapping[str, str], directory: Path) -> None:
        Product.objects.create(sku=PRODUCT, name="The product", price_cents=1000, stock=1_000)
        port = FreePorts().pick("web")
        self.child = Child(
            name="web",
            command=[
                *(sys.executable, "-m", "gunicorn", "project.wsgi", "--bind", f"{HOST}:{port}"),
                *("--worker-class", "gthread", "--threads", "4"),
            ],
            environment=environment,
            directory=PROJECT_ROOT,
            log=directory / "web.log",
        )
        browser = Client()
        browser.force_login(User.objects.get_or_create(username="ada")[0])
        browser.get("/orders/")
        cookies = {name: morsel.value for name, morsel in browser.cookies.items()}
        self.client = httpx.Client(
            base_url=f"http://{HOST}:{port}",
            cookies=cookies,
            headers={"X-CSRFToken": cookies["csrftoken"]},
            timeout=20,
            trust_env=False,
            # The server closes an idle connection when it likes; a request sent just then would fail, not the order.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.child.start()
        assert wait_until(self._answers, within=UP_WITHIN), self.child.log_tail()

    def place(self, key: str) -> httpx.Response:
        """Order one of the product, under the idempotency key *key*."""
        order = {
            "lines": [{"sku": PRODUCT, "quantity": 1}],
            "email": "ada@example.com",
            "payment_method": "pm_card_visa",
        }
        return self.client.post("/api/orders", json=order, headers={"Idempotency-Key": f'"{key}"'})

    def _answers(self) -> bool:
        try:
            return self.client.get("/health/live").is_success
        except httpx.TransportError:
            return False
