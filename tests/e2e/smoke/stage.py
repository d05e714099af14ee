"""A broker, an app that publishes to it, and the project's own workers, as a test starts them."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta
from typing import Any

import redis
from celery.result import AsyncResult
from honcho.environ import parse_procfile

from config.queues import QUEUES
from project.env import PROJECT_ROOT
from tasks.enqueue.bounded import BoundedCelery
from tasks.operation.health import queue_depths
from tasks.testing.waiting import eventually
from tests.e2e.smoke.nodes import Nodes

NOTES = "smoke-notes"
SETTINGS = "tests.e2e.smoke.settings"
PROCFILE = parse_procfile((PROJECT_ROOT / "Procfile").read_text()).processes

Note = dict[str, Any]


class Stage:
    """Jobs are published by name, as by anybody; what becomes of them is read off their notes."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self.broker = nodes.broker()
        self.url: str = self.broker.config()["host_url"]
        self.app = new_app(self.url)
        self.client = redis.Redis.from_url(self.url)

    def worker(self, kind: str, *, options: str = "", ready: bool = True, **environment: str) -> Any:
        """Start the Procfile's worker of the class *kind*, with further command line *options* and variables."""
        command = f"{PROCFILE[f'worker_{kind}']} {options}".split()
        node = self._nodes.worker(
            kind,
            command,
            {
                "DJANGO_SETTINGS_MODULE": SETTINGS,
                "BROKER_URL": self.broker.config()["url"],
                "LOG_FORMAT": "json",
                "RETRY_TIME_SCALE": "0.2",
                **environment,
            },
        )
        if ready:
            node.ready()
        return node

    def send(self, name: str, *args: Any, **options: Any) -> AsyncResult[Any]:
        """Publish `smoke.<name>`; *options* are `apply_async`'s."""
        return self.app.send_task(f"smoke.{name}", args, **options)

    def release(self, mark: str) -> None:
        """Let the job go on that is held under *mark*."""
        self.client.rpush(f"smoke-release-{mark}", 1)

    def notes(self, mark: str = "") -> list[Note]:
        """What the jobs marked *mark*, or all, have told so far, in the order in which they told it."""
        notes = [json.loads(note) for note in self.client.lrange(NOTES, 0, -1)]
        return [note for note in notes if mark in ("", note["mark"])]

    def said(self, mark: str) -> list[str]:
        """What happened to the job marked *mark*, in order."""
        return [note["what"] for note in self.notes(mark)]

    def await_notes(self, mark: str, *expected: str, within: timedelta = timedelta(seconds=30)) -> list[Note]:
        """Wait until the job marked *mark* has told as much as is *expected*, and check that it is that."""
        eventually(lambda: len(self.said(mark)) >= len(expected), within=within, because=lambda: str(self.said(mark)))
        assert self.said(mark) == list(expected)
        return self.notes(mark)

    def depths(self) -> dict[str, int]:
        """How many messages wait in each queue that isn't empty."""
        return {queue: depth for queue, depth in queue_depths(self.app, QUEUES).items() if depth}

    def in_hands(self) -> int:
        """How many messages the workers hold, unacknowledged."""
        with closing(redis.Redis.from_url(self.url)) as client:
            return int(client.hlen("unacked"))

    def await_quiet(self) -> None:
        """Wait until no message waits and none is in a worker's hands."""
        eventually(
            lambda: not self.depths() and not self.in_hands(),
            within=timedelta(minutes=1),
            because=lambda: f"{self.depths()} {self.notes()}",
        )

    def teardown(self) -> None:
        """Let go of the connections. The nodes end with the module that has them."""
        self.app.close()
        self.client.close()


def new_app(url: str) -> BoundedCelery:
    """A publisher with the project's settings and no connection yet."""
    app = BoundedCelery("smoke", set_as_current=False)
    app.config_from_object(SETTINGS, namespace="CELERY")
    app.conf.update(broker_url=url)
    return app


def log_lines(node: Any) -> list[dict[str, Any]]:
    """The structured lines of a worker's log; its banner isn't structured, and the last line may not be whole yet."""
    return [json.loads(line) for line in node.logs().rpartition("\n")[0].splitlines() if line.startswith("{")]
