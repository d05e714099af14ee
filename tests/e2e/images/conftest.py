"""A real media worker, as the Procfile starts it, on the test's own database, broker and storage."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from apps.images.models import Image
from config.queues import MEDIA
from project.celery import app
from project.local.child import Child
from project.local.waiting import wait_until
from tests.servers.processes import still_running
from tests.servers.relay import relay_child
from tests.servers.s3 import s3, shared_s3

__all__ = ["s3", "shared_s3"]

PROJECT_ROOT = Path(__file__).resolve().parents[3]
UP_WITHIN = timedelta(seconds=60)
DONE_WITHIN = timedelta(seconds=150)


class MediaWorker:
    """A `celery worker` with two pool processes."""

    def __init__(self, child: Child) -> None:
        self._child = child

    def start(self) -> None:
        """Start it and wait until it takes jobs."""
        self._child.start()
        assert wait_until(lambda: not self._child.alive or self._answers(), within=UP_WITHIN), self._child.log_tail()
        assert self._child.alive, self._child.log_tail()

    def pool(self) -> list[psutil.Process]:
        """The processes that run jobs; not those that are dead and that nobody has waited for yet."""
        return [process for process in self.main.children() if still_running([process.pid])]

    def talking_to(self, port: int) -> list[psutil.Process]:
        """Those of the pool with a connection to *port* of this machine."""
        return [
            process
            for process in self.pool()
            if any(connection.raddr and connection.raddr.port == port for connection in process.net_connections())
        ]

    @property
    def main(self) -> psutil.Process:
        """The process that takes messages."""
        return psutil.Process(self._child.pid)

    def _answers(self) -> bool:
        return bool(app.control.ping(timeout=0.5))


@pytest.fixture
def files(tmp_path: Path, settings: Settings) -> Path:
    """A directory for bytes that test and worker share."""
    location = tmp_path / "media"
    options = {"location": str(location)}
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "project.storage.AtomicFileSystemStorage", "OPTIONS": options},
    }
    return location


@pytest.fixture
def start_worker(process_environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., MediaWorker]]:
    """Starts a worker; what is given is added to its environment."""
    with ExitStack() as stops:
        relay = relay_child(process_environment, tmp_path)
        stops.callback(relay.kill)
        relay.start()

        def start(**variables: str) -> MediaWorker:
            child = Child(
                name="worker",
                command=[
                    *(sys.executable, "-m", "celery", "-A", "project", "worker", "--hostname", "media@%h"),
                    *("--queues", MEDIA, "--concurrency", "2", "--without-gossip", "--without-mingle"),
                ],
                environment={**process_environment, "IMAGE_FETCH_ALLOWED_NETWORKS": "127.0.0.0/8", **variables},
                directory=PROJECT_ROOT,
                log=tmp_path / "worker.log",
            )
            worker = MediaWorker(child)
            stops.callback(child.kill)
            worker.start()
            return worker

        yield start


@pytest.fixture
def worker(start_worker: Callable[..., MediaWorker], files: Path) -> MediaWorker:
    return start_worker(MEDIA_ROOT=str(files))


@pytest.fixture
def owner(transactional_db: None) -> User:
    return User.objects.create_user("ada")


def ended(*images: Image) -> bool:
    """Wait until each image is published or failed."""

    def over() -> bool:
        for image in images:
            image.refresh_from_db()
        return all(image.is_over for image in images)

    return wait_until(over, within=DONE_WITHIN)
