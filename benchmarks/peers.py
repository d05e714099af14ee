"""The others, each in the shape that suits it best on this many cores, in an environment of the benchmark's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg

from benchmarks.broker import Broker
from benchmarks.contender import CORES, ROOT, Contender
from benchmarks.couriers.publishing import QUEUE
from project.local.ports import FreePorts
from project.local.postgres import Postgres

PLACE: Final = ROOT / "var" / "bench"
PINNED: Final = ROOT / "benchmarks" / "peers.txt"
PYTHON: Final = PLACE / "venv" / "bin"
PINNED_FOR_NODE: Final = ("bullmq@6.7.0", "ioredis@5.11.1")
MODULES: Final = PLACE / "node" / "node_modules"

WORKERS: Final = {
    "RQ": ("rq worker --worker-class rq.worker.SimpleWorker --quiet --url {url} bench", CORES, "rq:queue:bench"),
    "Dramatiq": (f"dramatiq benchmarks.couriers.dramatiq -p {CORES} -t 4", 1, "dramatiq:bench"),
    "Huey": ("huey_consumer benchmarks.couriers.huey.app -w 1 -q", CORES, "huey.redis.bench"),
    "Taskiq": (f"taskiq worker benchmarks.couriers.taskiq:broker --workers {CORES} --log-level WARNING", 1, ""),
}
"""Name → command of its worker, how many of them, and the list in which jobs wait."""

PEERS: Final = (*WORKERS, "BullMQ", "Procrastinate")


def peers_install() -> None:
    """Make the environment, if it is not there. BullMQ comes along where there is npm."""
    PLACE.mkdir(parents=True, exist_ok=True)
    marker = PYTHON / "installed.txt"
    if not (marker.exists() and marker.read_text() == PINNED.read_text()):
        print("· installing the other libraries in var/bench", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(PYTHON.parent)], check=True)
        subprocess.run([str(PYTHON / "python"), "-m", "pip", "install", "--quiet", "-r", str(PINNED)], check=True)
        shutil.copy(PINNED, marker)
    npm = shutil.which("npm")
    if npm and not (MODULES / "ioredis").exists():
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(PLACE / "node")]
        subprocess.run([*command, *PINNED_FOR_NODE], check=True)


@contextmanager
def peers(broker: Broker, directory: Path) -> Iterator[list[Contender]]:
    """Those that are installed; their own server, where one needs it, ends with the block."""
    if not PYTHON.exists():
        yield []
        return
    found = [_redis_peer(broker, courier) for courier in WORKERS]
    if (MODULES / "ioredis").exists():
        found.append(_bullmq(broker))
    with (
        Postgres(directory=directory / "postgres", port=FreePorts().pick("postgres"), name="postgres") as postgres,
        psycopg.connect(postgres.url, autocommit=True) as connection,
    ):
        found.append(_procrastinate(postgres.url, connection))
        yield found


def _redis_peer(broker: Broker, courier: str) -> Contender:
    command, workers, waiting = WORKERS[courier]
    program, *options = command.format(url=broker.url).split()
    return Contender(
        courier=courier,
        pool="one a core",
        worker=(str(PYTHON / program), *options),
        workers=workers,
        publisher=(str(PYTHON / "python"), "-m", f"benchmarks.couriers.{courier.lower()}"),
        url=broker.url,
        depth=(lambda: broker.length(waiting)) if waiting else (lambda: broker.lag(QUEUE)),
    )


def _bullmq(broker: Broker) -> Contender:
    node = shutil.which("node") or "node"
    program = (node, str(ROOT / "benchmarks" / "couriers" / "bullmq.js"))
    return Contender(
        courier="BullMQ",
        pool="one a core",
        worker=(*program, "work"),
        workers=CORES,
        publisher=program,
        url=broker.url,
        depth=lambda: broker.length("bull:bench:wait"),
        environment={"BENCH_BULLMQ": str(MODULES / "bullmq")},
    )


def _procrastinate(url: str, connection: psycopg.Connection) -> Contender:
    program = (str(PYTHON / "procrastinate"), "--app=benchmarks.couriers.procrastinate.app")
    contender = Contender(
        courier="Procrastinate",
        pool="one a core",
        worker=(*program, "worker", "--queues", QUEUE, "--concurrency", "4", "--delete-jobs", "always"),
        workers=CORES,
        publisher=(str(PYTHON / "python"), "-m", "benchmarks.couriers.procrastinate"),
        url=url,
        depth=_waiting_rows(connection),
        on_valkey=False,
    )
    contender.run([*program, "schema", "--apply"])
    return contender


def _waiting_rows(connection: psycopg.Connection) -> Callable[[], int]:
    def depth() -> int:
        row = connection.execute("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'").fetchone()
        return int(row[0]) if row else 0

    return depth
