"""pytest-celery's container, over a local process."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from pytest_celery import CeleryTestContainer

from .waiting import eventually
from .watchdog import kill_group, shared_watchdog

READY_WITHIN: Final = timedelta(seconds=60)
TAIL_CHARACTERS: Final = 3000
INHERITED: Final = ("HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")


class ProcessEnded(RuntimeError):
    """A process ended while something was expected of it."""

    def __init__(self, name: str, exit_code: int | None, log_tail: str) -> None:
        super().__init__(name, exit_code, log_tail)
        self.name, self.exit_code, self.log_tail = name, exit_code, log_tail

    def __str__(self) -> str:
        return f"{self.name} ended with code {self.exit_code}; it wrote last:\n{self.log_tail}"


class ProcessContainer(CeleryTestContainer):  # type: ignore[misc] # pytest-celery has no types
    """A command as the leader of its own process group, with the methods that pytest-celery's nodes use.

    It starts when it is made. Its output is in the file `log`, all of it, over every restart. `teardown` kills
    whatever is left of its group; should the test run die before that, the watchdog does.
    """

    def __init__(
        self, command: Sequence[str], *, name: str, directory: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        # The base class wraps an engine's container; there is none, so its __init__ is not called.
        self._id, self._name, self._directory = uuid.uuid4().hex, name, directory
        self._command, self._environment = list(command), self._surroundings(environment or {})
        self.log = directory / f"{name}-{self._id[:8]}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        directory.mkdir(parents=True, exist_ok=True)
        self._start()

    @property
    def id(self) -> str:
        """A number of its own, as a container has one."""
        return self._id

    @property
    def name(self) -> str:
        """What it is called in logs and reports."""
        return self._name

    @property
    def status(self) -> str:
        """ "running" or "exited", as an engine would say."""
        return "running" if self._process is not None and self._process.poll() is None else "exited"

    @property
    def attrs(self) -> dict[str, Any]:
        """What a test may want to read of an engine's description."""
        return {"Config": {"Hostname": self._id[:12]}, "State": {"ExitCode": self.exit_code, "Pid": self.pid}}

    @property
    def pid(self) -> int:
        """The number of the process, and of its group."""
        return self._running.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self._process.poll() if self._process else None

    def logs(self) -> str:
        """All that it has written."""
        return self.log.read_text(errors="replace")

    def recent_logs(self) -> str:
        """What it has written since it was started last."""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")

    def is_ready(self) -> bool:
        """Whether it takes work now: by default, once `ready_prompt` is in what it wrote since its last start."""
        return (self.ready_prompt or "") in self.recent_logs()

    def ready(self, within: timedelta = READY_WITHIN) -> bool:
        """Wait until it takes work. Raises ProcessEnded or AssertionError with its log."""
        eventually(lambda: self.status == "exited" or self.is_ready(), within=within, because=self._log_tail)
        if self.status == "exited":
            raise ProcessEnded(self._name, self.exit_code, self._log_tail())
        return True

    def reload(self) -> None:
        """Nothing to do: `status` asks the process itself."""

    def kill(self, signal: str | int = "SIGKILL") -> None:
        """Send a signal. SIGKILL ends the whole group, as it would end a container; others are for the leader."""
        number = _signal_number(signal)
        if number == _signal_number("SIGKILL"):
            kill_group(self.pid)
            self.wait()
        else:
            os.kill(self.pid, number)

    def pause(self) -> None:
        """Stop the whole group where it stands: it hangs, its connections stay open."""
        os.killpg(self.pid, _signal_number("SIGSTOP"))

    def unpause(self) -> None:
        """Let it go on."""
        os.killpg(self.pid, _signal_number("SIGCONT"))

    def wait(self, within: timedelta = READY_WITHIN) -> int:
        """Wait for it to end; return its exit code. Raises subprocess.TimeoutExpired."""
        return self._running.wait(within.total_seconds())

    def restart(self, timeout: float = READY_WITHIN.total_seconds()) -> None:
        """Ask it to end, kill it after *timeout* seconds, start it anew and wait until it is ready."""
        if self.status == "running":
            self.kill("SIGTERM")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.wait(timedelta(seconds=timeout))
        self._end()
        self._start()
        self.ready()

    def exec_run(self, command: str | Sequence[str]) -> tuple[int, bytes]:
        """Run a command in the same directory with the same variables; return its exit code and what it wrote."""
        words = shlex.split(command) if isinstance(command, str) else list(command)
        finished = subprocess.run(
            words,
            cwd=self._directory,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=READY_WITHIN.total_seconds(),
            check=False,
        )
        return finished.returncode, finished.stdout

    def teardown(self) -> None:
        """Kill what is left of the group. Safe to call twice."""
        self._end()

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise LookupError(f"{self._name} was torn down")
        return self._process

    def _start(self) -> None:
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self._process = shared_watchdog().start(
                self._command, environment=self._environment, directory=self._directory, output=output
            )

    def _end(self) -> None:
        if self._process is None:
            return
        kill_group(self._process.pid)
        self._process.wait()
        shared_watchdog().let_go(self._process.pid)
        self._process = None

    def _surroundings(self, given: Mapping[str, str]) -> dict[str, str]:
        """What *given* says and little more, as in a container; this Python's programs are first on the path."""
        kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {**kept, "PATH": path, "PYTHONUNBUFFERED": "1", **given}

    def _log_tail(self) -> str:
        return self.recent_logs()[-TAIL_CHARACTERS:]


def _signal_number(name: str | int) -> int:
    return int(name) if isinstance(name, int) else signal.Signals[name].value
