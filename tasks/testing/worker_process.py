"""A `celery worker` as a local process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
from pytest_celery import CeleryWorkerContainer

from .processes import ProcessContainer


class WorkerProcess(ProcessContainer, CeleryWorkerContainer):  # type: ignore[misc] # pytest-celery has no types
    """A worker started by *command* (pytest-celery's, by default) where `content` is written and can be imported.

    command: `celery -A app worker ...`; `%h` in it becomes this process's id, as it would be a container's.
    content: files by their path, as pytest-celery's `default_worker_initial_content` gives them.
    """

    def __init__(
        self,
        command: Sequence[str] | None = None,
        *,
        directory: Path,
        name: str = "worker",
        content: Mapping[str, bytes] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        for path, text in (content or {}).items():
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_bytes(text)
        super().__init__(
            command or self.command(),
            name=name,
            directory=directory,
            environment={"PYTHONPATH": str(directory), **(environment or {})},
        )

    def child_pids(self) -> list[int]:
        """The numbers of the pool's processes, the oldest first."""
        children = psutil.Process(self.pid).children()
        return [child.pid for child in sorted(children, key=lambda child: (child.create_time(), child.pid))]

    def _start(self) -> None:
        self._command = [word.replace("%h", self.id[:12]) for word in self._command]
        super()._start()
