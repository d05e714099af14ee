"""A worker that drinks from every queue and knows the sample tasks, and a relay that brings it what is committed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from config.queues import QUEUES
from project.env import PROJECT_ROOT
from project.local.child import Child
from project.local.waiting import wait_until
from tasks import JobStatus, status

SAMPLES = ",".join(f"tests.e2e.effects.sample_{kind}" for kind in ("tasks", "chords", "effects"))
WITHIN = timedelta(seconds=60)


class Diary:
    """What the sample tasks have written: one line each time that a body ran."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The argument for a sample task."""
        return str(self.path)

    @property
    def lines(self) -> list[str]:
        """The lines so far, sorted: the order in which jobs run is nobody's promise."""
        return sorted(self.path.read_text().splitlines()) if self.path.exists() else []


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    """An empty diary."""
    return Diary(tmp_path / "diary")


@pytest.fixture
def worker(process_environment: dict[str, str], tmp_path: Path) -> Iterator[Child]:
    """The worker, with two children; the relay runs beside it."""
    commands = {
        "relay": [sys.executable, "manage.py", "relay", "--sweep", "0.3"],
        "worker": [sys.executable, "-m", "celery", "-A", "project", "worker", "--queues", ",".join(QUEUES),
                   "--concurrency", "2", "--include", SAMPLES, "--without-gossip", "--without-mingle"],
    }  # fmt: skip
    children = {
        name: Child(
            name=name,
            command=command,
            environment=process_environment,
            directory=PROJECT_ROOT,
            log=tmp_path / f"{name}.log",
        )
        for name, command in commands.items()
    }
    for child in children.values():
        child.start()
    yield children["worker"]
    for child in children.values():
        child.kill()


def ended(task_id: str, worker: Child) -> JobStatus:
    """Wait until the job has ended; how it did."""
    over = {JobStatus.SUCCEEDED, JobStatus.DEAD, JobStatus.CANCELLED}
    assert wait_until(lambda: status(task_id) in over, within=WITHIN), (status(task_id), worker.log_tail(40))
    return status(task_id)
