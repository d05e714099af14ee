"""A broker, a queue, and workers that drink from it, as a test starts them."""

from __future__ import annotations

import json
import sys
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import redis

from project.env import PROJECT_ROOT
from tasks.testing.waiting import eventually
from tasks.testing.worker_process import WorkerProcess
from tests.conformance.broker.hand import depth
from tests.conformance.broker.subjects import Subject
from tests.conformance.broker.worker_app import NOTES, PLACE, Place, new_app

WITHIN: Final = timedelta(seconds=30)

Note = dict[str, Any]


class Floor:
    """Jobs are published by name; what becomes of them is read off their notes."""

    def __init__(self, subject: Subject, *, notes_url: str, directory: Path, backend: str = "") -> None:
        self.subject, self._directory = subject, directory
        queue = subject.queue()
        self.place = Place(subject=subject, queue=queue.name, notes_url=notes_url, backend=backend or "disabled://")
        self.queue = queue
        self.app: Any = new_app(self.place)
        self._notes = redis.Redis.from_url(notes_url)
        self._notes.flushdb()
        self.workers: list[WorkerProcess] = []
        with subject.connect() as connection:
            queue(connection.default_channel).declare()

    def man(self, count: int) -> None:
        """Start *count* workers of one child each, and wait until they take jobs."""
        started = [self.worker(options="--concurrency 1", ready=False) for _ in range(count)]
        for worker in started:
            worker.ready()

    def worker(self, *, options: str = "--concurrency 2", ready: bool = True) -> WorkerProcess:
        """Start one, and wait until it takes jobs unless told otherwise."""
        name = f"w{len(self.workers)}-{uuid.uuid4().hex[:6]}"
        command = [sys.executable, "-m", "celery", "-A", "tests.conformance.broker.worker", "worker"]
        command += ["--hostname", f"{name}@here", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        worker = WorkerProcess(
            [*command, *options.split()],
            directory=self._directory / name,
            name=name,
            environment={PLACE: self.place.dumped(), "PYTHONPATH": str(PROJECT_ROOT)},
        )
        self.workers.append(worker)
        if ready:
            worker.ready()
        return worker

    def send(self, job: str, *args: Any, **options: Any) -> Any:
        """Publish `conformance.<job>`; *options* are `apply_async`'s."""
        return self.app.send_task(f"conformance.{job}", args, **options)

    def release(self, mark: str) -> None:
        """Let the jobs go on that are held under *mark*."""
        self._notes.set(f"release-{mark}", 1)

    def notes(self, mark: str) -> list[Note]:
        """What the jobs marked *mark* have told so far, in order."""
        notes = [json.loads(text) for text in self._notes.lrange(NOTES, 0, -1)]
        return [note for note in notes if note["mark"] == mark]

    def said(self, mark: str) -> list[str]:
        """What happened to the job marked *mark*, in order."""
        return [note["what"] for note in self.notes(mark)]

    def await_said(self, mark: str, *expected: str, within: timedelta = WITHIN) -> list[Note]:
        """Wait until the job marked *mark* has told as much as is *expected*, and check that it is that."""
        eventually(lambda: len(self.said(mark)) >= len(expected), within=within, because=lambda: self._what(mark))
        assert self.said(mark) == list(expected)
        return self.notes(mark)

    def depth(self) -> int:
        """How many messages wait."""
        return depth(self.subject, self.queue)

    def close(self) -> None:
        """End the workers."""
        for worker in self.workers:
            worker.teardown()
        self._notes.close()
        self.app.close()

    def _what(self, mark: str) -> str:
        logs = "\n".join(worker.logs()[-2000:] for worker in self.workers)
        return f"{mark} said {self.said(mark)}; {self.depth()} wait\n{logs}"
