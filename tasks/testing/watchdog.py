"""No process outlives the test run that started it, not even when the run is killed with SIGKILL.

A watchdog holds the read end of a pipe whose write end is ours alone. Each process first writes its own number into
the pipe and then becomes the command, so there is no moment at which it runs unknown to the watchdog. When the pipe
closes, because the run ended in whatever way, the watchdog kills every process group still on its list.

Run as a script, this file is the watchdog. It uses the standard library alone.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO


class Watchdog:
    """The write end of the pipe, and the process at the other."""

    def __init__(self) -> None:
        read_end, self._write_end = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=read_end,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # the terminal's Ctrl-C is for the run; the watchdog waits for its end
        )
        os.close(read_end)

    def start(
        self, command: Sequence[str], *, environment: Mapping[str, str], directory: Path, output: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Start *command* as the leader of a process group of its own. What it writes goes to *output*."""
        return subprocess.Popen(
            ["/bin/sh", "-c", f'echo "+$$" >&0; exec </dev/null; exec {shlex.join(command)}'],
            stdin=self._write_end,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
        )

    def let_go(self, pid: int) -> None:
        """The group is gone and waited for; its number may soon be somebody else's."""
        with contextlib.suppress(BrokenPipeError):  # somebody killed the watchdog
            os.write(self._write_end, f"-{pid}\n".encode())


@functools.cache
def shared_watchdog() -> Watchdog:
    """The one of this process, started at first use. It acts when this process ends."""
    return Watchdog()


def kill_group(pid: int) -> None:
    """SIGKILL to a process group, if there still is one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
        os.killpg(pid, signal.SIGKILL)


def _watch() -> None:
    alive: set[int] = set()
    for line in sys.stdin:
        (alive.add if line.startswith("+") else alive.discard)(int(line[1:]))
    for pid in alive:
        kill_group(pid)


if __name__ == "__main__":
    _watch()
