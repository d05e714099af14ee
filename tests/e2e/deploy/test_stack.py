"""docker-compose.yml at work, as processes of this machine: see `tests.compose` for what that does and doesn't show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import psutil
import pytest

from config.limits import SOFT_SHUTDOWN
from project.env import PROJECT_ROOT
from project.local.ports import HOST
from project.local.smtp_sink import read_mails
from project.local.waiting import wait_until
from tests.compose.image import DOCKERFILE, stages
from tests.compose.monitoring import metrics_used
from tests.compose.running import PAUSE, RunningStack
from tests.compose.visitor import Visitor

pytestmark = pytest.mark.timeout(400)

# Time enough for two beats of the heart, and little enough to wait for.
IMPATIENT = {"-30 seconds": "-11 seconds"}
NOTICED_WITHIN = timedelta(seconds=60)


@contextmanager
def suspended(pid: int) -> Iterator[None]:
    """As a hanging program: there, connected, and silent."""
    process = psutil.Process(pid)
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def test_every_service_becomes_healthy(stack: RunningStack) -> None:
    """By its own health check, with only those before it that `depends_on` names."""
    names = [service.name for service in stack.local.compose.ours if not service.one_shot]

    assert {name: stack.complaint(name) for name in names} == dict.fromkeys(names)


def test_an_order_is_paid_shipped_and_confirmed(stack: RunningStack, visitor: Visitor) -> None:
    """Production's settings, the workers' queues, the sandbox and the mail server all fit together."""
    order = {"lines": [{"sku": "ROOT-001", "quantity": 2}], "email": "a@example.com", "payment_method": "pm_card_visa"}
    key = {"Idempotency-Key": '"paid, shipped and confirmed"'}
    placed = visitor.post("/api/orders", json=order, headers=key).raise_for_status().json()

    visitor.until(f"/api/orders/{placed['id']}", "fulfilled")

    sandbox = f"http://{HOST}:{stack.local.port('payment_sandbox', 12111)}"
    books = httpx.get(f"{sandbox}/sandbox/books", timeout=20).json()
    paid = [charge["amount"] for charge in books["charges"] if charge["idempotency_key"] == f"order-{placed['id']}"]
    assert paid == [placed["total_cents"]]
    mails = read_mails(stack.local.volume("/mails", "mailpit"))
    assert any(mail["To"] == "a@example.com" for mail in mails)


def test_a_photograph_is_rendered_and_kept_in_s3(stack: RunningStack, visitor: Visitor) -> None:
    """The bucket was made by the stack's own command, with the stack's own keys."""
    photo = (PROJECT_ROOT / "project" / "local" / "demo" / "photos" / "coffee.png").read_bytes()
    received = visitor.post("/api/images", files={"file": ("coffee.png", photo)}).raise_for_status().json()

    published = visitor.until(f"/api/images/{received['id']}", "published")

    assert published["renditions"]
    for rendition in published["renditions"]:
        assert len(visitor.get(rendition["url"]).raise_for_status().content) == rendition["bytes"]
    assert not list(stack.local.root.rglob("*.jpg")), "a picture was kept in the image's own directory"


def test_static_files_are_served_out_of_the_image(visitor: Visitor) -> None:
    """collectstatic ran when the image was built; what it made can be kept by browsers for ever."""
    sheet = re.search(r'href="(/static/[^"]+\.css)"', visitor.get("/login/").text)

    assert sheet
    answer = visitor.get(sheet[1])
    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]


def test_every_queue_has_its_worker(visitor: Visitor) -> None:
    """As /health/workers, which operators watch, sees it."""

    def problems() -> list[str]:
        found: list[str] = visitor.get("/health/workers").json()["problems"]
        return found

    # A worker is given a second to answer; on a busy machine one may miss it.
    assert wait_until(lambda: not problems(), within=NOTICED_WITHIN, pause=PAUSE), problems()


def test_flower_measures_what_alerts_and_dashboards_ask_for(stack: RunningStack, visitor: Visitor) -> None:
    """A graph over a metric that nobody exports is empty for ever, and so is an alert on it."""
    password = (stack.local.secrets / "flower_password").read_text()
    url = f"http://{HOST}:{stack.local.port('flower', 5555)}/metrics"
    wanted = {name for name in metrics_used() if name.startswith("flower_")}

    def missing() -> set[str]:
        text = httpx.get(url, auth=("flower", password), timeout=20).raise_for_status().text
        return wanted - set(re.findall(r"^(\w+)\{", text, re.MULTILINE))

    order = {"lines": [{"sku": "ROOT-002", "quantity": 1}], "email": "b@example.com", "payment_method": "pm_card_visa"}
    visitor.post("/api/orders", json=order, headers={"Idempotency-Key": '"measured"'}).raise_for_status()
    assert wait_until(lambda: not missing(), within=timedelta(seconds=60), pause=PAUSE), missing()


@pytest.mark.parametrize("name", ["worker_low", "beat"])
def test_a_process_that_hangs_is_unhealthy_until_it_goes_on(stack: RunningStack, name: str) -> None:
    """Its file is there, and so is the process; only its age tells."""
    with suspended(stack.children[name].pid):
        assert wait_until(lambda: not _well(stack, name), within=NOTICED_WITHIN, pause=PAUSE)
    assert wait_until(lambda: _well(stack, name), within=NOTICED_WITHIN, pause=PAUSE)


def test_a_worker_without_its_broker_is_unhealthy_until_it_is_back(stack: RunningStack) -> None:
    """A broker that hangs closes no connection, so nothing but silence tells the worker."""
    workers = [name for name in stack.children if name.startswith("worker_")]
    with suspended(stack.children["broker"].pid):
        assert wait_until(lambda: not any(_well(stack, name) for name in workers), within=NOTICED_WITHIN, pause=PAUSE)
    assert wait_until(lambda: all(_well(stack, name) for name in workers), within=NOTICED_WITHIN, pause=PAUSE)


def _well(stack: RunningStack, name: str) -> bool:
    return stack.local.check(name, replace=IMPATIENT) is None


def test_every_service_stops_by_itself_within_its_grace(stack: RunningStack) -> None:
    """Docker kills what is still there then. Nothing runs, so no worker waits for anything. The last test."""
    ours = [service for service in stack.local.compose.ours if not service.one_shot]
    assert stages(DOCKERFILE.read_text())[-1].all("STOPSIGNAL") == ["SIGTERM"]
    for service in ours:
        stack.children[service.name].ask_to_stop()

    def alive() -> list[str]:
        return [service.name for service in ours if stack.children[service.name].alive]

    shortest = min(service.grace for service in ours)
    assert shortest < SOFT_SHUTDOWN
    assert wait_until(lambda: not alive(), within=shortest, pause=PAUSE), alive()
    codes = {service.name: stack.children[service.name].exit_code for service in ours}
    assert codes == dict.fromkeys(codes, 0)
