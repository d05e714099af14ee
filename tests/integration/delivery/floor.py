"""Workers on the leased transport, and what the server holds."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from redis import Redis

from project.env import PROJECT_ROOT
from tasks.delivery.intake import IntakeEntry, intake_peek
from tasks.testing.processes import ProcessEnded
from tasks.testing.waiting import eventually
from tasks.testing.worker_process import WorkerProcess

LEASE = timedelta(seconds=3)


@dataclass
class Floor:
    """One broker and the workers that were started on it. The diary is a file, whatever befalls the broker."""

    url: str
    directory: Path
    client: Redis
    workers: list[WorkerProcess] = field(default_factory=list)
    others: frozenset[str] = frozenset()
    """Connections that were there before: this process's own, for one."""

    def __post_init__(self) -> None:
        self.others = frozenset(self._connections())

    def worker(self, *options: str, url: str = "", lease: timedelta = LEASE, may_end: bool = False) -> WorkerProcess:
        """Start a worker and wait until it takes work. Raises ProcessEnded if it ends instead, unless it may."""
        name = f"w{len(self.workers)}"
        command = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "tests.integration.delivery.jobs",
            "worker",
            "-n",
            f"{name}@here",
            "-l",
            "INFO",
        ]
        command += ["--without-gossip", "--without-mingle", "-c", "2", *options]
        worker = WorkerProcess(
            command,
            directory=self.directory / name,
            name=name,
            environment={
                "PYTHONPATH": str(PROJECT_ROOT),
                "LEASE_TEST_BROKER": url or self.url,
                "LEASE_TEST_DIARY": str(self.directory / "diary"),
                "LEASE_TEST_SECONDS": str(lease.total_seconds()),
                "PYTHONWARNINGS": "ignore",
            },
        )
        self.workers.append(worker)
        with suppress(ProcessEnded) if may_end else nullcontext():
            worker.ready()
        return worker

    def send(self, name: str, *args: Any, **options: Any) -> None:
        """Publish a job as any client would."""
        from tests.integration.delivery.publishing import app_for

        app_for(self.url).send_task(name, args=args, queue="jobs", **options)

    @property
    def diary(self) -> Counter[str]:
        """What the jobs have written, and how often."""
        path = self.directory / "diary"
        return Counter(path.read_text().splitlines() if path.exists() else ())

    def ended(self, *names: str, within: timedelta = timedelta(seconds=30)) -> Counter[str]:
        """Wait until each of these jobs has ended; the diary."""
        eventually(
            lambda: all(self.diary[f"ended {name}"] for name in names),
            within=within,
            because=lambda: self.state(*names),
        )
        return self.diary

    def state(self, *names: str) -> str:
        """What a failed test wants to know."""
        diary = self.diary
        missing = [name for name in names if not diary[f"ended {name}"]]
        logs = "".join(worker.recent_logs()[-3000:] for worker in self.workers)
        return f"missing: {missing}; held: {self.held()}, waiting: {self.waiting()}\n{logs}"

    def held(self) -> int:
        """How many messages all owners hold."""
        held = 0
        for key in cast("list[bytes]", self.client.keys("tasks.held:*")):
            held += len(set(self.client.hgetall(key.decode())) - {b"n"})
        return held

    def waiting(self) -> int:
        """How many messages are on the queue's lists. Ask before `held`: they go from here to there."""
        lists = ("jobs", *(f"jobs\x06\x16{step}" for step in (3, 6, 9)))
        return sum(cast("list[int]", [self.client.llen(name) for name in lists]))

    def intake(self) -> list[IntakeEntry]:
        """What is in the intake."""
        return intake_peek(self.client)

    def cut_connections(self) -> None:
        """Have the server close every connection of workers to this database."""
        for one in self._connections():
            if one not in self.others:
                self.client.client_kill_filter(_id=one)

    def _connections(self) -> list[str]:
        database = self.client.connection_pool.connection_kwargs["db"]
        own = self.client.client_id()
        return [one["id"] for one in self.client.client_list() if int(one["db"]) == database and int(one["id"]) != own]

    def close(self) -> None:
        """Kill what still runs."""
        for worker in self.workers:
            worker.teardown()
