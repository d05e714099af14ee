"""The Procfile's processes, one by one, on the test's own database and broker."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

import pytest
from honcho.environ import parse_procfile

from project.celery import app
from project.env import PROJECT_ROOT
from project.local.child import Child
from project.local.waiting import wait_until

UP_WITHIN: Final = timedelta(seconds=60)


class StartProcess(Protocol):
    """Starts the process that the Procfile calls so, with these variables; a worker takes jobs when it returns."""

    def __call__(self, name: str, /, **variables: str) -> Child: ...


@pytest.fixture
def start_process(process_environment: dict[str, str], tmp_path: Path) -> Iterator[StartProcess]:
    """Every process that it starts ends with the test."""
    app.set_current()  # importing pytest-celery makes an app without a broker the current one
    commands = parse_procfile((PROJECT_ROOT / "Procfile").read_text()).processes
    started: list[Child] = []
    with ExitStack() as ends:

        def start(name: str, /, **variables: str) -> Child:
            child = Child(
                name=name,
                command=_command(commands[name]),
                environment={**process_environment, **variables},
                directory=PROJECT_ROOT,
                log=tmp_path / f"{name}.log",
            )
            ends.callback(child.kill)
            child.start()
            started.append(child)
            if name.startswith("worker_"):
                if not any(running.name == "relay" for running in started):
                    start("relay", **variables)  # or nothing would ever reach the worker
                wait_until(lambda: not child.alive or app.control.ping(timeout=0.5), within=UP_WITHIN)
                assert child.alive, child.log_tail()
            return child

        yield start


def _command(line: str) -> list[str]:
    words = shlex.split(line)
    return [sys.executable, *words[1:]] if words[0] == "python" else [sys.executable, "-m", *words]
