"""No process is left behind, whatever happens to the one that started it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from project.local.pidfiles import leftovers_end, pidfile_write
from project.local.waiting import wait_until
from tests.servers.processes import family, still_running

SOON = timedelta(seconds=60)

# Starts both servers and a shell with a stubborn descendant, tells all their numbers, and waits.
PARENT = """
import json, signal, sys
from pathlib import Path
from project.local.child import Child
from project.local.ports import FreePorts
from project.local.postgres import Postgres
from project.local.valkey import BrokerValkey
here, ports = Path(sys.argv[1]), FreePorts()
postgres = Postgres(directory=here / "p", port=ports.pick("p"), throwaway=True, pidfiles=here / "run").start()
valkey = BrokerValkey(directory=here / "v", port=ports.pick("v"), name="valkey", pidfiles=here / "run").start()
shell = Child(name="shell", command="sh -c 'trap : TERM INT; sleep 1000 & wait; wait'", environment={},
              directory=here, log=here / "shell.log", pidfiles=here / "run")
shell.start()
print(json.dumps([postgres.child.pid, valkey.child.pid, shell.pid]), flush=True)
signal.pause()
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A process with children on its leash, and the numbers of all those and their descendants."""
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        leaders = json.loads(process.stdout.readline())
        assert wait_until(lambda: len(family(leaders[2])) == 2, within=SOON)
        yield process, [pid for leader in leaders for pid in family(leader)]
        process.kill()
    leftovers_end(tmp_path / "run")


def watchdogs_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return [child for child in psutil.Process(process.pid).children() if "leash.py" in " ".join(child.cmdline())]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_children_end_with_the_parent(parent: tuple[subprocess.Popen[str], list[int]], number: int) -> None:
    """An out-of-memory kill gives no chance to clean up; an unhandled SIGTERM neither."""
    process, pids = parent
    assert len(pids) > 6
    (watchdog,) = watchdogs_of(process)
    process.send_signal(number)
    assert wait_until(lambda: not still_running([*pids, watchdog.pid]), within=SOON)


# Ends with a child on its leash, and tells the numbers of that and of the watchdog.
ENDS = """
import sys
from pathlib import Path
import psutil
from project.local.child import Child
here = Path(sys.argv[1])
Child(name="child", command="sleep 1000", environment={}, directory=here, log=here / "log").start()
print(*(child.pid for child in psutil.Process().children()))
"""


def test_what_ends_by_itself_is_outlived_by_nothing(tmp_path: Path) -> None:
    """Not by a moment: a script may look what a command has left behind."""
    ran = subprocess.run([sys.executable, "-c", ENDS, str(tmp_path)], stdout=subprocess.PIPE, text=True, check=True)
    children = [int(pid) for pid in ran.stdout.split()]
    assert len(children) == 2
    assert not still_running(children)


def test_what_survived_its_watchdog_too_is_ended_at_the_next_start(
    parent: tuple[subprocess.Popen[str], list[int]], tmp_path: Path
) -> None:
    """`killall -9 python` spares the servers, which then hold ports and data."""
    process, pids = parent
    for watchdog in watchdogs_of(process):
        watchdog.kill()
    process.kill()
    assert still_running(pids)
    assert leftovers_end(tmp_path / "run") == ["postgres", "shell", "valkey"]
    assert wait_until(lambda: not still_running(pids), within=SOON)
    assert list((tmp_path / "run").iterdir()) == []


def test_a_number_that_is_somebody_elses_by_now_is_left_alone(tmp_path: Path) -> None:
    """Process numbers come round again."""
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as stranger:
        (tmp_path / "web.pid").write_text(f"{stranger.pid} 12345.0 {signal.SIGKILL.value}\n")
        (tmp_path / "beat.pid").write_text("half a li")
        assert leftovers_end(tmp_path) == []
        assert still_running([stranger.pid])
        stranger.kill()


def test_the_noted_process_is_recognised(tmp_path: Path) -> None:
    """The counterpart of the test above: the same file with the right time."""
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as ours:
        pidfile_write(tmp_path, "web", ours.pid, signal.SIGKILL)
        assert leftovers_end(tmp_path, patience_seconds=1) == ["web"]
        assert ours.wait() == -signal.SIGKILL
