"""A Chromium in front of the whole stack, as `./run up` composes it, on the suite's database server and broker."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from psycopg import sql

from project.local.environment import STAFF_USER
from project.local.ports import FreePorts
from project.local.stack import Stack
from tests.servers.embedded import plain

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 60_000


@pytest.fixture(scope="session")
def chromium() -> str:
    """The system's Chromium. Where there is none: skipped on a laptop, a failure in CI."""
    path = next((path for name in CHROMIUMS if (path := shutil.which(name))), None)
    if path:
        return path
    missing = "no Chromium on PATH: install one (Debian: apt install chromium)"
    if os.environ.get("CI", "").lower() in {"true", "1"}:
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of a database of its own, on the suite's server: the stack's processes commit into it."""
    name = f"browser_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    server = os.environ["DATABASE_URL"]
    with psycopg.connect(server, autocommit=True) as connection:
        identifier = sql.Identifier(name)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


@pytest.fixture(scope="module")
def stack(chromium: str, database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Web, workers and all, with the demo's catalogue."""
    for variable in ("BROKER_URL", "CACHE_URL"):
        with redis.Redis.from_url(plain(os.environ[variable])) as client:
            client.flushdb()
    environment = {
        "DATABASE_URL": database,
        "BROKER_URL": os.environ["BROKER_URL"],
        "CACHE_URL": os.environ["CACHE_URL"],
    }
    with Stack(directory=tmp_path_factory.mktemp("stack"), ports=FreePorts(), environment=environment) as stack:
        yield stack


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser for the module."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, stack: Stack) -> Iterator[Page]:
    """A page of somebody new to the browser, at the shop's door. The page must not complain of anything."""
    context = browser.new_context(base_url=stack.url("web"), viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.extend(complaint(message)))
    page.goto("/")
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def staff(page: Page, stack: Stack) -> Page:
    """The same page, logged in through the form."""
    page.get_by_label("Name").fill(STAFF_USER)
    page.get_by_label("Password").fill(stack.environment["STAFF_PASSWORD"])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/orders/")
    return page


def complaint(message: ConsoleMessage) -> list[str]:
    """What the browser says of a page, if it is an error or a warning."""
    return [message.text] if message.type in {"error", "warning"} else []
