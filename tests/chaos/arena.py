"""Where one scenario takes place: a broker of its own, workers that can be harmed, and a publisher that counts."""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from celery import Celery

import tasks.delivery  # noqa: F401 -- makes its URL schemes known
from project.local.waiting import wait_until
from tests.chaos import journal, tally
from tests.chaos.broker import AlwaysBroker, EverysecBroker
from tests.chaos.journal import Journal
from tests.chaos.names import DIE, RUN_JOB, SETTINGS
from tests.chaos.outcome import Outcome
from tests.chaos.tally import Harm
from tests.chaos.transports import settings_for
from tests.chaos.worker import PREFORK, Worker

READY_WITHIN = timedelta(seconds=60)
DJANGO = "DJANGO_SETTINGS_MODULE"  # where it is set, Celery sets up Django
SETTLED_WITHIN = timedelta(seconds=60)  # at least: on a busy machine workers take long to start, whatever the lease
PAUSE = timedelta(milliseconds=100)


class Arena:
    """A context manager. Everything random is drawn from `draw`."""

    def __init__(
        self,
        *,
        directory: Path,
        environment: Mapping[str, str],
        transport: str,
        lease: timedelta,
        seed: int = 1,
        ledger: bool = False,
        always: bool = False,
        pool: str = PREFORK,
    ) -> None:
        self.transport, self.lease, self.seed, self.ledger = transport, lease, seed, ledger
        plain = {name: value for name, value in environment.items() if name != DJANGO}
        self.pool = pool
        self._environment = environment if ledger else plain
        self.draw = random.Random(seed)
        self.broker = (AlwaysBroker if always else EverysecBroker)(directory=directory / "broker")
        self.journal = Journal(directory / "journal.jsonl")
        self.workers: dict[str, Worker] = {}
        self.sent: dict[str, int] = {}
        self.refused: list[int] = []
        self.poison: set[int] = set()
        self.may_be_forgotten: set[int] = set()  # jobs that are told to the disk no sooner than the power is cut
        self.faults = 0  # harm that was done to the broker or to connections
        self._directory = directory
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        if self.ledger:
            from tests.chaos.ledger_effects import effects_prepare

            effects_prepare()
        self.broker.start()
        self.publisher = self.publisher_through(self.broker.port)
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers.values():
            worker.bury()
        self.publisher.close()
        self.broker.kill()

    def publisher_through(self, port: int) -> Celery:
        """An app that publishes to *port*, with bounded retries as in production."""
        app = Celery("publisher", set_as_current=False)
        app.conf.update(settings_for(self.transport, lease=self.lease, port=port))
        app.conf.task_publish_retry_policy = {"max_retries": 3, "interval_start": 0.1, "interval_max": 0.5}
        return app

    def start_workers(
        self,
        names: str,
        *,
        port: int | None = None,
        prefetch: int = 1,
        skew: timedelta = timedelta(0),
        pool: str = "",
    ) -> list[Worker]:
        """Start a worker for each of the *names* (words), one job at a time each; return when all consume."""
        settings = settings_for(self.transport, lease=self.lease, port=port or self.broker.port, prefetch=prefetch)
        environment = {
            **self._environment,
            "BROKER_URL": self.broker.url,
            journal.FILE: str(self.journal.file),
            SETTINGS: json.dumps(settings),
        }
        started = [
            Worker(
                name,
                directory=self._directory,
                environment=environment,
                broker=settings["broker_url"],
                ledger=self.ledger,
                skew=skew,
                pool=pool or self.pool,
            )
            for name in names.split()
        ]
        for worker in started:
            self.workers[worker.name] = worker
            worker.start()
        self.wait_ready(started)
        return started

    def wait_ready(self, workers: list[Worker]) -> None:
        """Until all of these consume. Raises RuntimeError with the log of one that doesn't."""
        for worker in workers:
            wait_until(lambda w=worker: self.is_ready(w) or not w.child.alive, within=READY_WITHIN)  # type: ignore[misc]
            if not self.is_ready(worker):
                raise RuntimeError(f"{worker.name} is not ready:\n{worker.child.log_tail()}")

    def is_ready(self, worker: Worker) -> bool:
        """Whether its present incarnation lives and has begun to consume."""
        self.journal.read()
        return worker.child.alive and worker.incarnation in self.journal.ready

    def send(
        self, count: int, *, seconds: float = 0, countdown: float | None = None, through: Celery | None = None
    ) -> list[int]:
        """Publish *count* jobs that take *seconds* each; return their numbers."""
        return [self._publish(RUN_JOB, (seconds,), countdown, through) for _ in range(count)]

    def send_poison(self, how: str) -> int:
        """Publish one job that kills whoever runs it; return its number."""
        job = self._publish(DIE, (how,), None, None)
        self.poison.add(job)
        return job

    def _publish(self, name: str, arguments: tuple[Any, ...], countdown: float | None, through: Celery | None) -> int:
        job = len(self.sent) + len(self.refused)
        app = through or self.publisher
        try:
            result = app.send_task(name, (job, *arguments), countdown=countdown)
        except Exception:  # noqa: BLE001 -- whatever it raises, the caller knows that it was not sent
            self.refused.append(job)
        else:
            self.sent[str(result.id)] = job
        return job

    def started(self, jobs: list[int], *, within: timedelta = timedelta(seconds=30)) -> bool:
        """Wait until all of *jobs* have begun to run."""
        return wait_until(lambda: {run.job for run in self.journal.read()} >= set(jobs), within=within)

    def runs_of(self, job: int) -> int:
        """How many runs of *job* have begun."""
        return sum(run.job == job for run in self.journal.read())

    def runner_of(self, job: int) -> Worker:
        """The worker that began *job* last."""
        run = next(run for run in reversed(self.journal.read()) if run.job == job)
        return self.workers[run.worker.partition(".")[0]]

    def on_broker(self) -> set[int]:
        """Jobs that are on the broker in any form, the intake excepted."""
        return {self.sent[one] for one in self.broker.ids() & self.sent.keys()}

    def kept(self) -> set[int]:
        """Jobs that are in the intake."""
        return {self.sent[one] for one in self.broker.ids_kept() & self.sent.keys()}

    @property
    def missing(self) -> set[int]:
        """Jobs that were sent and have not been done."""
        self.journal.read()
        return set(self.sent.values()) - self.journal.done

    def settle(self, *, within: timedelta) -> None:
        """Start again workers that ended; return when all is over, or nothing moves any more, or the time is up."""
        wait_until(self._settled, within=max(within, SETTLED_WITHIN), pause=PAUSE)

    def _settled(self) -> bool:
        self.tend()
        missing, there = self.missing, self.on_broker()
        if there & missing or self._under_way():
            return False
        quiet = time.monotonic() - self.journal.last_at
        return (not there and missing <= self.kept()) or quiet > 2 * self.lease.total_seconds() + 2

    def tend(self) -> None:
        """Start again, as a supervisor would, the workers that have ended."""
        for worker in self.workers.values():
            if not worker.child.alive:
                worker.start()

    def _under_way(self) -> bool:
        harms = self.harms
        return any(run.ended_at is None and tally.cut_at(run, harms) is None for run in self.journal.runs)

    @property
    def harms(self) -> dict[str, list[Harm]]:
        """What was done to each incarnation of each worker, by us or by poison."""
        harms: dict[str, list[Harm]] = defaultdict(list)
        for worker in self.workers.values():
            for incarnation, its_harms in worker.harms.items():
                harms[incarnation] += its_harms
        for run in self.journal.runs:
            if run.job in self.poison:
                harms[run.worker].append(Harm(at=run.started_at, final=False))
        return harms

    def outcome(self, scenario: str) -> Outcome:
        """Count everything, where it happened."""
        from tests.chaos.ledger_effects import effects_doubled

        runs, missing, there, kept = self.journal.read(), self.missing, self.on_broker(), self.kept()
        by_job, harms = tally.runs_by_job(runs), self.harms
        sent, gone = set(self.sent.values()), missing - there - kept
        return Outcome(
            scenario=scenario,
            transport=self.transport,
            sent=len(sent),
            refused=len(self.refused),
            done=len(sent & self.journal.done),
            kept=len(kept),
            lost=len(gone - self.may_be_forgotten),
            forgotten=len(gone & self.may_be_forgotten),
            stuck=len(there),
            doubled=sum(len(its_runs) > 1 for job, its_runs in by_job.items() if job not in self.poison),
            needless=len(tally.needless(runs, harms)),
            most_runs=max(map(len, by_job.values()), default=0),
            doubled_effects=effects_doubled() if self.ledger else None,
            harms=self.faults + sum(map(len, harms.values())),
            recovery_seconds=tally.recovery_seconds(runs, harms),
            lease_seconds=self.lease.total_seconds(),
            seconds=round(time.monotonic() - self._began, 1),
            poison=len(self.poison),
            seed=self.seed,
        )
