"""The supplier sandbox as a process, and Django's settings that point at it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pytest_django import Settings

from project.local.child import Child
from project.local.ports import HOST, FreePorts
from project.local.server import Server


class SupplierSandbox(Server):
    """One with 450 offers, so three pages, whose catalogue changes when it is told to."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}"

    def fault(self, kind: str, **how: Any) -> None:
        """Let it go wrong: see `project.local.supplier_sandbox`."""
        self._post("faults", {"fault": kind, **how})

    def version(self, version: int) -> None:
        """Let it have another catalogue."""
        self._post("version", {"version": version})

    def requests(self) -> list[dict[str, Any]]:
        """What was asked for so far."""
        answer: list[dict[str, Any]] = httpx.get(f"{self.url}/sandbox/requests", trust_env=False).json()["requests"]
        return answer

    def _post(self, path: str, body: dict[str, Any]) -> None:
        httpx.post(f"{self.url}/sandbox/{path}", json=body, trust_env=False).raise_for_status()

    def _prepare(self) -> Child:
        return Child(
            name=self.name,
            command=[sys.executable, "-m", "project.local.supplier_sandbox", "--host", HOST, "--port", str(self.port)],
            environment=os.environ,
            directory=Path(__file__).resolve().parents[2],
            log=self.log,
        )

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/sandbox/health", timeout=2, trust_env=False).is_success
        except httpx.TransportError:
            return False


@pytest.fixture
def supplier(tmp_path: Path, settings: Settings) -> Iterator[SupplierSandbox]:
    """A supplier of this test's own, which Django's settings point at."""
    with SupplierSandbox(directory=tmp_path / "supplier", port=FreePorts().pick("supplier"), name="supplier") as server:
        settings.SUPPLIER_API_URL = server.url
        yield server
