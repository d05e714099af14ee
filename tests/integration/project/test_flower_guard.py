"""Flower behind its password, asked over real HTTP."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import psutil
import pytest
from flower.urls import handlers
from tornado.routing import URLSpec

from project.env import PROJECT_ROOT
from project.local.child import Child
from project.local.environment import variables_clean
from project.local.ports import FreePorts
from project.local.probes import http_probe
from project.local.waiting import wait_until

CREDENTIALS = ("viewer", "a password: with a colon")
ENCODED = b64encode(":".join(CREDENTIALS).encode()).decode()
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _paths() -> list[str]:
    """One path for each route of Flower's own table, and one that no route knows."""
    patterns = [entry.regex.pattern if isinstance(entry, URLSpec) else entry[0] for entry in handlers]
    known = [pattern.rstrip("$").replace("(.+)", "x").replace("(.*)", "x").replace("/?", "") for pattern in patterns]
    return ["/nowhere" if path == ".*" else path for path in known]


def _flower(port: int, log: Path, **variables: str) -> Child:
    environment = {
        **variables_clean(),
        **{name: os.environ[name] for name in ("DATABASE_URL", "BROKER_URL", "CACHE_URL")},
        "DJANGO_SETTINGS_MODULE": "project.settings.test",
        **variables,
    }
    return Child(
        name="flower",
        command=f"celery -A project flower --address=127.0.0.1 --port={port}",
        environment=environment,
        directory=PROJECT_ROOT,
        log=log,
    )


@pytest.fixture(scope="module")
def flower(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Child]]:
    """The address of a real Flower, and its process."""
    port = FreePorts().pick("flower")
    log = tmp_path_factory.mktemp("flower") / "flower.log"
    child = _flower(port, log, FLOWER_BASIC_AUTH=":".join(CREDENTIALS))
    child.start()
    try:
        assert wait_until(http_probe(port, "/", status=401), within=timedelta(seconds=60)), child.log_tail()
        yield f"http://127.0.0.1:{port}", child
    finally:
        child.kill()


@pytest.mark.parametrize("path", _paths())
def test_no_route_answers_without_the_password(flower: tuple[str, Child], path: str) -> None:
    """Flower itself leaves /metrics, /healthcheck, static files, the login pages and every OPTIONS open."""
    address, _ = flower
    with httpx.Client(base_url=address) as client:
        answers = {method: client.request(method, path).status_code for method in METHODS}
        answers["wrong password"] = client.get(path, auth=("viewer", "guess")).status_code
        answers["no base64"] = client.get(path, headers={"Authorization": "Basic ?"}).status_code
        answers["other scheme"] = client.get(path, headers={"Authorization": f"Bearer {ENCODED}"}).status_code
    assert set(answers.values()) == {401}, answers


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthcheck", "/api/workers", "/static/css/flower.css", "/broker"])
def test_the_password_opens(flower: tuple[str, Child], path: str) -> None:
    """A guard that lets nobody in would pass the test above."""
    address, _ = flower
    assert httpx.get(address + path, auth=CREDENTIALS).status_code == 200


@pytest.mark.parametrize("path", ["/api/worker/shutdown/x", "/api/task/revoke/x", "/api/task/async-apply/x"])
def test_nothing_can_be_changed_unless_asked_for(flower: tuple[str, Child], path: str) -> None:
    """Whoever may look may not stop a worker."""
    address, _ = flower
    answer = httpx.post(address + path, auth=CREDENTIALS)
    assert answer.status_code == 403
    assert "read only" in answer.text.lower()


def test_the_password_is_not_on_the_command_line(flower: tuple[str, Child]) -> None:
    """Everybody on the machine can list processes."""
    _, child = flower
    assert CREDENTIALS[1] not in " ".join(psutil.Process(child.pid).cmdline())


def test_without_a_password_flower_does_not_start(tmp_path_factory: pytest.TempPathFactory) -> None:
    """An open Flower because of a forgotten variable would be worse than none."""
    child = _flower(FreePorts().pick("flower"), tmp_path_factory.mktemp("open") / "flower.log")
    child.start()
    try:
        assert child.ended(within=timedelta(seconds=60))
        assert child.exit_code
        assert "FLOWER_BASIC_AUTH" in child.log_tail()
    finally:
        child.kill()
