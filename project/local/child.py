"""One process that we started, with its log, on the leash."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import psutil

from project.local.leash import shared_leash
from project.local.pidfiles import pidfile_remove, pidfile_write
from project.local.waiting import wait_until

TAIL_LINES = 15


class Child:
    """A command, run as the leader of its own process group. It can be started again after it ended.

    Its output goes straight to the file *log*, so that nobody's slow reading ever holds it up. Where *pidfiles* is
    given, its number is noted there while it runs.
    """

    def __init__(
        self,
        *,
        name: str,
        command: str | Sequence[str],
        environment: Mapping[str, str],
        directory: Path,
        log: Path,
        pidfiles: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        last_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name, self.log = name, log
        self._command, self._environment, self._directory = command, environment, directory
        self._pidfiles, self._stop_signal, self._last_signal = pidfiles, stop_signal, last_signal
        self._process: subprocess.Popen[bytes] | None = None
        self._on_leash = False

    @property
    def pid(self) -> int:
        """The process's number. Raises LookupError before the first start."""
        if self._process is None:
            raise LookupError(f"{self.name} has not been started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs or before it was started; negative for the signal that ended it."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start the process. What it writes is added to the log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.bury()
        with self.log.open("ab") as output:
            self._process = shared_leash().start(
                self._command,
                environment=self._environment,
                directory=self._directory,
                output=output,
                last_signal=self._last_signal,
            )
        self._on_leash = True
        if self._pidfiles:
            pidfile_write(self._pidfiles, self.name, self.pid, self._last_signal)

    def ask_to_stop(self) -> None:
        """Send the signal that makes it finish what it does and end; don't wait."""
        if self._process:
            self._process.send_signal(self._stop_signal)  # does nothing once it has ended

    def ended(self, *, within: timedelta) -> bool:
        """Wait for the process to end by itself, at most so long."""
        return wait_until(lambda: not self.alive, within=within)

    def stop(self, *, grace: timedelta = timedelta(seconds=10)) -> None:
        """Ask it to stop, wait for *grace*, then kill what is left of its group."""
        self.ask_to_stop()
        self.ended(within=grace)
        self.bury()

    def kill(self) -> None:
        """SIGKILL the process and all its descendants at once, as a power cut would."""
        if self.alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                for descendant in psutil.Process(self.pid).children(recursive=True):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        descendant.kill()
        self.bury()

    def bury(self) -> None:
        """Kill what is left of the group and forget it. Safe to call twice, and when it ended by itself."""
        if self._process is None or not self._on_leash:
            return
        self._on_leash = False
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shared_leash().let_go(self._process.pid)
        if self._pidfiles:
            pidfile_remove(self._pidfiles, self.name)

    def log_tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines that it wrote."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - 200 * lines))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
