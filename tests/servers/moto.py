"""moto's server as a process of its own: Amazon's APIs over HTTP, in memory."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from typing import ClassVar, Final

import httpx

from project.local.child import Child
from project.local.ports import HOST
from project.local.server import Server

ACCESS_KEY: Final = "test"
SECRET_KEY: Final = "test"


class MotoServer(Server):
    """Keeps everything in memory."""

    ready_within: ClassVar[timedelta] = timedelta(seconds=60)

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://{HOST}:{self.port}"

    def _prepare(self) -> Child:
        return Child(
            name=self.name,
            command=[sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(self.port)],
            environment=os.environ,
            directory=self.directory,
            log=self.log,
        )

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/moto-api/data.json", timeout=2, trust_env=False).is_success
        except httpx.TransportError:
            return False
