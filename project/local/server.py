"""What the embedded servers have in common: start and wait until it answers, stop, kill."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Self

from project.local.child import Child
from project.local.errors import ServiceFailed
from project.local.waiting import wait_until

# No locale to trip over (PostgreSQL on macOS does), and no setting meant for some other server.
SERVER_ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


class Server(ABC):
    """A server of its own in *directory*, listening on 127.0.0.1:*port*. Used as a context manager or by start/stop.

    It can't outlive this process (see `leash`).
    """

    ready_within: ClassVar[timedelta] = timedelta(seconds=60)

    def __init__(
        self, *, directory: Path, port: int, name: str, log: Path | None = None, pidfiles: Path | None = None
    ) -> None:
        self.directory, self.port, self.name = directory.resolve(), port, name
        self.log = log or self.directory / f"{name}.log"
        self.pidfiles = pidfiles
        self._child: Child | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients connect, password included."""

    @abstractmethod
    def _prepare(self) -> Child:
        """Make the directory ready and describe the process."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether this very server, not another one on the same port, takes requests."""

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._child is not None and self._child.alive

    @property
    def child(self) -> Child:
        """The process. Raises LookupError before the first start."""
        if self._child is None:
            raise LookupError(f"{self.name} has not been started")
        return self._child

    def start(self) -> Self:
        """Start it and wait until it answers. Raises ServiceFailed; nothing is left running then."""
        self.directory.mkdir(parents=True, exist_ok=True)
        child = self._child = self._prepare()
        child.start()
        try:
            failure = self._failure_to_answer(child)
        except BaseException:
            self.kill()
            raise
        if failure:
            self.kill()
            raise self._not_started(failure)
        return self

    def _failure_to_answer(self, child: Child) -> str | None:
        answered = wait_until(lambda: not child.alive or self._answers(), within=self.ready_within)
        if not child.alive:
            return f"ended with code {child.exit_code} while starting"
        return None if answered else f"did not answer within {self.ready_within.seconds} s"

    def stop(self) -> None:
        """Stop it in order, so that the next start has nothing to recover."""
        if self._child:
            self._child.stop()

    def kill(self) -> None:
        """SIGKILL it and its children, as a power cut would."""
        if self._child:
            self._child.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _not_started(self, reason: str) -> ServiceFailed:
        tail = self._child.log_tail() if self._child else ""
        return ServiceFailed(self.name, reason, tail, self._advice(tail))

    def _advice(self, log_tail: str) -> str:
        if "in use" in log_tail.lower():
            return f"stop the program that listens on port {self.port}, or start again to be given another one"
        return f"read {self.log}; if its data can be lost, remove {self.directory} and start again"
