"""A storm's workers and relay, the jobs that it sends, and what became of each, counted in the database."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Self

from config.queues import QUEUES
from project.env import PROJECT_ROOT
from project.local.child import Child

# How long a job may be under way before it is taken for lost, and what a lease of half a minute becomes.
UNFINISHED_AFTER: Final = timedelta(seconds=6)
ENVIRONMENT: Final = {"LEASE_TIME_SCALE": "0.03", "RETRY_TIME_SCALE": "0.05"}
DYING: Final = (
    "permanent", "exhausted", "error", "soft", "hard", "child_killed", "child_exits", "expired", "rejected", "memory",
    "unknown_outcome", "unknown_task", "wrong_arguments", "undecodable", "no_task", "unsendable",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of the jobs; the first three come to *jobs*, whatever happened.

    wrong: jobs that are told of twice or not at all: dead without a letter, alive or succeeded with one, or gone.
    innocents: jobs that work, and died all the same, since the storm killed under them what ran them, time and again.
    reasons: of the letters.
    """

    jobs: int
    succeeded: int
    letters: int
    waiting: int
    wrong: int
    innocents: int
    survivors: int
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def adds_up(self) -> bool:
        """To the last one."""
        return self.jobs == self.succeeded + self.letters + self.waiting and not (self.wrong or self.survivors)


class StormFloor:
    """A context manager; the processes run inside it. What dies is started again by `tend`, as a supervisor would."""

    def __init__(
        self, *, directory: Path, environment: Mapping[str, str], workers: int, seed: int, visibility_timeout: int = 5
    ) -> None:
        self._draw = random.Random(seed)
        self.sent: dict[str, str] = {}
        worker = [
            sys.executable, "-m", "celery", "-A", "project", "worker", "--queues", ",".join(QUEUES), "--concurrency",
            "2", "--include", "tests.chaos.storm_tasks", "--without-gossip", "--without-mingle",
        ]  # fmt: skip
        commands = {
            "relay": [sys.executable, "manage.py", "relay", "--sweep", "0.5"],
            **{f"worker{number}": [*worker, "--hostname", f"worker{number}@%h"] for number in range(workers)},
        }
        self.children = {
            name: Child(
                name=name,
                command=command,
                environment={**environment, **ENVIRONMENT, "VISIBILITY_TIMEOUT": str(visibility_timeout)},
                directory=PROJECT_ROOT,
                log=directory / f"{name}.log",
            )
            for name, command in commands.items()
        }

    def __enter__(self) -> Self:
        for child in self.children.values():
            child.start()
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.children.values():
            child.kill()

    @property
    def workers(self) -> list[Child]:
        """Those that are alive."""
        return [child for name, child in self.children.items() if name.startswith("worker") and child.alive]

    def tend(self) -> None:
        """Start again what has died, and send again what was lost with it."""
        from celery import current_app

        from tasks.operation.reconciler import unfinished_send_again

        for child in self.children.values():
            if not child.alive:
                child.start()
        unfinished_send_again(current_app, older_than=UNFINISHED_AFTER)

    def send(self, count: int, *, dying: float) -> None:
        """Enqueue so many, of which the share *dying* dies, each in a way drawn at random."""
        from tests.chaos import storm_tasks

        for _ in range(count):
            number = len(self.sent)
            way = self._draw.choice(DYING) if self._draw.random() < dying else "work"
            made = SPECIAL.get(way)
            task_id = made(number) if made else getattr(storm_tasks, way).enqueue(number)
            self.sent[task_id] = way

    def send_killers(self, count: int) -> None:
        """Jobs that take the whole worker with them, each as often as it is let."""
        from tests.chaos import storm_tasks

        for _ in range(count):
            self.sent[storm_tasks.worker_killed.enqueue(len(self.sent))] = "worker_killed"

    def waiting(self) -> int:
        """How many have not ended."""
        from tasks.enqueue.models import OutboxMessage

        return OutboxMessage.objects.filter(name__startswith="storm.", finished_at=None).count()

    def tally(self) -> Tally:
        """Count every job where it is on record."""
        from tasks.enqueue.models import OutboxMessage
        from tasks.failure.letter_models import DeadLetter

        ids = list(self.sent)
        states = dict(OutboxMessage.objects.filter(task_id__in=ids).values_list("task_id", "state"))
        letters = dict(DeadLetter.objects.filter(task_id__in=ids).values_list("task_id", "reason"))
        ended = {"succeeded", "dead", "unsendable", "cancelled"}
        waiting = [task_id for task_id, state in states.items() if state not in ended]
        succeeded = [task_id for task_id, state in states.items() if state == "succeeded"]
        wrong = [
            task_id
            for task_id in ids
            if (states.get(task_id) in ("dead", "unsendable")) != (task_id in letters)
            or states.get(task_id) in (None, "cancelled")
        ]
        return Tally(
            jobs=len(ids),
            succeeded=len(succeeded),
            letters=len(letters),
            waiting=len(waiting),
            wrong=len(wrong),
            innocents=sum(1 for task_id in letters if self.sent[task_id] == "work"),
            survivors=sum(1 for task_id in succeeded if self.sent[task_id] not in ("work", "expired")),
            reasons=dict(sorted(Counter(letters.values()).items())),
        )


def _altered(number: int, **fields: Any) -> str:
    """A job's message as something has garbled it, or as a program wrote that doesn't know our tasks."""
    from django.db import transaction

    from tasks.enqueue.models import OutboxMessage
    from tests.chaos import storm_tasks

    with transaction.atomic():
        task_id = storm_tasks.work.enqueue(number)
        message = OutboxMessage.objects.get(task_id=task_id)
        for name, value in fields.items():
            setattr(message, name, value)
        if "name" in fields:
            message.headers["task"] = fields["name"]
        message.save()
    return task_id


def _expired(number: int) -> str:
    from django.utils import timezone

    from tests.chaos import storm_tasks

    return storm_tasks.expired.enqueue(number, expires=timezone.now() - timedelta(seconds=1))


SPECIAL: Final[dict[str, Callable[[int], str]]] = {
    "expired": _expired,
    "unknown_task": lambda number: _altered(number, name="storm.of_tomorrow"),
    "wrong_arguments": lambda number: _altered(number, body=f'[[], {{"nr": {number}}}, {{}}]'),
    "undecodable": lambda number: _altered(number, body=f"{{not json {number}"),
    "no_task": lambda number: _altered(number, body=f'"hello {number}"'),
    "unsendable": lambda number: _altered(number, properties={"routing_key": "twice"}),
}
