"""No process outlives the one that started it, not even when that one is killed with SIGKILL.

A watchdog process holds the read end of a pipe whose write end is ours alone. Each process started on the leash first
writes its own number into the pipe and then becomes the command, so there is no moment at which it runs unknown to the
watchdog. When the pipe closes, because we ended in whatever way, the watchdog ends every process group still on its
list. The same works on Linux and macOS; only a SIGKILL of the watchdog itself escapes it, and `pidfiles` finds what
that leaves behind at the next start.

Run as a script, this file is the watchdog. It uses the standard library alone.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

PATIENCE_SECONDS = 8.0  # PostgreSQL gives its own children five after SIGQUIT
WITH_THE_WATCHDOG_SECONDS = PATIENCE_SECONDS + 1


class Leash:
    """The write end of the pipe, and the watchdog at the other."""

    def __init__(self) -> None:
        self._maker = os.getpid()
        self._held: dict[int, subprocess.Popen[bytes]] = {}
        read_end, self._write_end = os.pipe()
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=read_end,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # the terminal's Ctrl-C is for us; the watchdog waits for our end
            cwd="/",
        )
        os.close(read_end)

    def start(
        self,
        command: str | Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        output: IO[bytes],
        last_signal: signal.Signals = signal.SIGKILL,
    ) -> subprocess.Popen[bytes]:
        """Start *command* (a shell line, or words) as the leader of a process group of its own.

        Standard output and error go to *output*. *last_signal* is what the watchdog sends should we die first.
        """
        line = command if isinstance(command, str) else shlex.join(command)
        script = f'echo "+$$ {last_signal.value}" >&0; exec </dev/null; exec {line}'
        process = subprocess.Popen(
            ["/bin/sh", "-c", script],
            stdin=self._write_end,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
        )
        self._held[process.pid] = process
        return process

    def let_go(self, pid: int) -> None:
        """The process is gone and waited for; its number may soon be somebody else's."""
        self._held.pop(pid, None)
        with contextlib.suppress(BrokenPipeError):  # somebody killed the watchdog
            os.write(self._write_end, f"-{pid}\n".encode())

    def close(self) -> None:
        """End whatever is still on the leash, and the watchdog. Does nothing in a fork of the process that made it.

        Doesn't wait for ever: a fork that lives on keeps the pipe open.
        """
        if os.getpid() != self._maker:
            return
        os.close(self._write_end)
        deadline = time.monotonic() + WITH_THE_WATCHDOG_SECONDS
        while self._watchdog.poll() is None and time.monotonic() < deadline:
            for process in self._held.values():
                process.poll()  # what has ended is there until somebody has asked
            time.sleep(0.02)


@functools.cache
def shared_leash() -> Leash:
    """The one leash of this process, made at first use. It closes when this process ends, however it does.

    One that ends by itself waits for the watchdog, so that a command's last line is followed by nothing.
    """
    leash = Leash()
    atexit.register(leash.close)
    return leash


def end_groups(signals: Mapping[int, int], *, patience_seconds: float) -> None:
    """Send each process group its signal, and SIGKILL to those that are still there after that time."""
    for pid, number in signals.items():
        _signal_group(pid, number)
    deadline = time.monotonic() + patience_seconds
    left = set(signals)
    while left and time.monotonic() < deadline:
        left = {pid for pid in left if _signal_group(pid, 0)}
        time.sleep(0.02)
    for pid in left:
        _signal_group(pid, signal.SIGKILL)


def _signal_group(pid: int, number: int) -> bool:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
        return True
    return False


def _watch() -> None:
    signals: dict[int, int] = {}
    for line in sys.stdin:
        if line.startswith("+"):
            pid, number = line[1:].split()
            signals[int(pid)] = int(number)
        else:
            signals.pop(int(line[1:]), None)
    end_groups(signals, patience_seconds=PATIENCE_SECONDS)


if __name__ == "__main__":
    _watch()
