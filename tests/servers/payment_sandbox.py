"""The payment sandbox as a process of its own, that can be killed and started again on the same books."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from project.local.leash import shared_leash
from project.local.payment_sandbox.client import SandboxClient
from project.local.ports import HOST, FreePorts
from project.local.waiting import wait_until

PROJECT_ROOT = Path(__file__).resolve().parents[2]
UP_WITHIN = timedelta(seconds=60)
DOWN_WITHIN = timedelta(seconds=30)


class PaymentSandbox(SandboxClient):
    """Keeps its books and its log in *directory*. The port stays the same over a restart."""

    def __init__(self, directory: Path) -> None:
        self.port = FreePorts().pick("payment sandbox")
        super().__init__(f"http://{HOST}:{self.port}")
        self.books_file = directory / "payment_books.jsonl"
        self.log_file = directory / "payment_sandbox.log"
        self._process: subprocess.Popen[bytes] | None = None

    def try_to_start(self) -> int:
        """Start a process that is going to refuse, wait until it has ended, and return its exit status."""
        process = self._launch()
        try:
            return process.wait(UP_WITHIN.total_seconds())
        finally:
            process.kill()
            process.wait()
            # Its number may be another process's when ours ends, and the leash kills whatever it still holds.
            shared_leash().let_go(process.pid)

    def _launch(self) -> subprocess.Popen[bytes]:
        """Start the process, and don't wait for it to answer."""
        command = [sys.executable, "-m", "project.local.payment_sandbox"]
        command += ["--host", HOST, "--port", str(self.port), "--books", str(self.books_file)]
        with self.log_file.open("ab") as output:
            return shared_leash().start(command, environment=os.environ, directory=PROJECT_ROOT, output=output)

    def start(self) -> None:
        """Start the process and wait until it answers. Raises AssertionError with its log when it doesn't."""
        process = self._process = self._launch()
        wait_until(lambda: self.is_up() or process.poll() is not None, within=UP_WITHIN)
        assert process.poll() is None, self.log_file.read_text()
        assert self.is_up(), self.log_file.read_text()

    def stop(self) -> int:
        """Ask it to end, wait, and return its exit status. One that is not running has ended with 0."""
        return self._end(signal.SIGTERM) if self._process else 0

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        assert process is not None, "the payment sandbox is not running"
        process.send_signal(number)
        try:
            status = process.wait(DOWN_WITHIN.total_seconds())
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the payment sandbox did not end on {number.name}") from None
        finally:
            shared_leash().let_go(process.pid)
        return status
