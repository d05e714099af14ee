"""The demo from start to end: a stack of its own, the work, the count, the verdict."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from project.local.demo.evidence import Evidence, PlacedOrder, UploadedPhoto, discrepancies
from project.local.demo.plan import order_plan
from project.local.demo.shop import Shop, ShopRefused
from project.local.demo.tables import show
from project.local.demo.workload import Stalled, ended, evidence_gather, orders_place, stock_levels
from project.local.environment import STAFF_USER
from project.local.errors import ServiceFailed
from project.local.payment_sandbox.client import SandboxClient
from project.local.ports import FreePorts, NoPortFree
from project.local.stack import Stack
from project.local.terminal import Stopped, StopSignals, say, say_stage

# How wide the tables are where there is no terminal to ask.
WIDTH: Final = 120

# A payment that times out does so after this time, and is tried again after a fiftieth of the usual waits.
PAYMENT_TIMEOUT: Final = timedelta(seconds=1)
ENVIRONMENT: Final = {"STRIPE_TIMEOUT": str(PAYMENT_TIMEOUT.total_seconds()), "RETRY_TIME_SCALE": "0.02"}


def demo(*, orders: int, photos: list[Path]) -> int:
    """Run it. Returns 0 when every figure is as it must be, 1 when one isn't, 130 when stopped."""
    StopSignals()
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    try:
        with tempfile.TemporaryDirectory(prefix="rootstock-demo-", ignore_cleanup_errors=True) as directory:
            stack = Stack(directory=Path(directory), ports=FreePorts(), environment=ENVIRONMENT, report=say_stage)
            with stack:
                evidence = _work(stack, console, orders, photos)
    except Stopped:
        say("./run demo: stopped")
        return 130
    except (NoPortFree, ServiceFailed, ShopRefused, Stalled) as failure:
        say(f"./run demo: {failure}")
        return 1
    show(console, evidence)
    problems = discrepancies(evidence)
    for problem in problems:
        console.print(f"[red]✗[/] {problem}", soft_wrap=True)
    if not problems:
        console.print("[green]✓[/] every figure is as it must be: nothing lost, nothing done twice")
    return 1 if problems else 0


def _work(stack: Stack, console: Console, orders: int, photos: list[Path]) -> Evidence:
    sandbox = SandboxClient(stack.url("payment_sandbox"))
    password = stack.environment["STAFF_PASSWORD"]
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        Shop(stack.url("web"), username=STAFF_USER, password=password) as shop,
        Progress(*columns, console=console) as progress,
    ):
        order_bar = progress.add_task("orders", total=orders)
        photo_bar = progress.add_task("photos", total=len(photos))
        stock_before = stock_levels(shop)
        uploaded = [UploadedPhoto(name=photo.name, found=shop.upload_photo(photo)) for photo in photos]
        placed = list(orders_place(shop, sandbox, order_plan(orders), hang=2 * PAYMENT_TIMEOUT))

        found_orders = ended(
            "order", [order.found["id"] for order in placed], shop.order, partial(_tell, progress, order_bar, stack)
        )
        found_photos = ended(
            "photo", [photo.found["id"] for photo in uploaded], shop.image, partial(_tell, progress, photo_bar, stack)
        )
        return evidence_gather(
            shop=shop,
            sandbox=sandbox,
            mail_directory=stack.mail,
            orders=[
                PlacedOrder(plan=order.plan, found=found) for order, found in zip(placed, found_orders, strict=True)
            ],
            photos=[
                UploadedPhoto(name=photo.name, found=found) for photo, found in zip(uploaded, found_photos, strict=True)
            ],
            stock_before=stock_before,
        )


def _tell(progress: Progress, bar: TaskID, stack: Stack, done: int, _of: int) -> None:
    progress.update(bar, completed=done)
    stack.tend()
