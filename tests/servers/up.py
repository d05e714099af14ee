"""`./run up` as a process, for tests that look at it from outside."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from project.env import PROJECT_ROOT
from project.local.environment import variables_clean
from project.local.waiting import wait_until

READY = timedelta(seconds=150)  # on a busy machine; the promise of 10 s is for an idle one
STOPPED = timedelta(seconds=90)


class Up:
    """One `./run up` in *directory*; what it prints is in the file *output*."""

    def __init__(self, directory: Path, **given: str) -> None:
        self.directory = directory
        descriptor, name = tempfile.mkstemp(suffix=".output", dir=directory.parent)
        self.output = Path(name)
        with os.fdopen(descriptor, "wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "project.local", "up", "--directory", str(directory)],
                cwd=PROJECT_ROOT,
                env=variables_clean() | given,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """All that it has printed."""
        return self.output.read_text()

    def wait_until_ready(self) -> None:
        """Until it has printed its addresses."""
        assert wait_until(lambda: "Ready after" in self.said or self.process.poll() is not None, within=READY), (
            self.said
        )
        assert self.process.poll() is None, self.said

    def said_after(self, words: str) -> str:
        """The first word that follows *words* in what was said."""
        found = re.search(re.escape(words) + r"\s+(\S+)", self.said)
        assert found, self.said
        return found[1]

    def pid_of(self, name: str) -> int:
        """The number of the process *name*, as noted for the next start."""
        return int((self.directory / "run" / f"{name}.pid").read_text().split()[0])

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ctrl-C or another way to stop it, and the exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOPPED.total_seconds())

    def end(self) -> None:
        """For the end of a failed test: nothing may be left for the next one."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
