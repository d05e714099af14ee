"""What the outbox, the relay and the ledger cost: `./run bench effects`.

Prints one line of JSON a measurement. `ratio` is to stock Celery in the same run where there is such a thing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any

from benchmarks.measuring import cpu_of, measured
from benchmarks.servers import servers

# Rows that can be claimed, whatever the size of the table.
WAITING = 1_000

# The worker's cost of a fresh start is left out: it is counted from when it answers.
OPTIONS = "--queues default --pool solo --without-gossip --without-mingle --loglevel WARNING"
WORKER = [sys.executable, "-m", "celery", "-A", "project", "worker", *OPTIONS.split()]
WORKER += ["--include", "benchmarks.sample_tasks"]


def tell(what: str, **figures: Any) -> None:
    """One line of JSON."""
    rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in figures.items()}
    print(json.dumps({"what": what, **rounded}), flush=True)


def enqueueing(jobs: int) -> None:
    """One by one: `.delay()`, `enqueue` outside a transaction, and `enqueue` inside one."""
    from celery import current_app
    from django.db import transaction

    from benchmarks import sample_tasks

    sample_tasks.stock.delay(0)
    sample_tasks.plain.enqueue(0)
    with measured() as stock:
        for number in range(jobs):
            sample_tasks.stock.delay(number)
    tell("delay, stock Celery", jobs=jobs, per_second=jobs / stock.wall, cpu_per_1000=stock.per_thousand(jobs))
    current_app.control.purge()
    with measured() as alone:
        for number in range(jobs):
            sample_tasks.plain.enqueue(number)
    _compare("enqueue, each its own transaction", jobs, alone, stock)
    with measured() as together, transaction.atomic():
        for number in range(jobs):
            sample_tasks.plain.enqueue(number)
    _compare("enqueue, inside the caller's transaction", jobs, together, stock)


def enqueueing_many(jobs: int) -> None:
    """In bulk, by COPY; and the relay that sends them."""
    from celery import current_app

    from benchmarks import sample_tasks
    from tasks.enqueue.relay import Relay

    with measured() as stock:
        for number in range(jobs // 50):
            sample_tasks.stock.delay(number)
    stock.wall, stock.cpu = stock.wall * 50, stock.cpu * 50
    current_app.control.purge()
    _empty()
    with measured() as bulk:
        sample_tasks.plain.enqueue_many({"number": number} for number in range(jobs))
    _compare("enqueue_many", jobs, bulk, stock)
    with Relay(current_app) as relay, measured() as sent:
        while relay.send_batch().sent:
            pass
    _compare("relay", jobs, sent, stock)
    current_app.control.purge()
    _empty()


def draining(jobs: int) -> None:
    """A solo worker's cost a job: stock Celery on kombu's transport, then on ours; toolkit tasks by their effect."""
    from benchmarks import sample_tasks

    leased = os.environ["BROKER_URL"]
    stock: Any = sample_tasks.stock
    kinds = [("stock Celery", stock, leased.replace("+lease", "")), ("stock task, leased", stock, leased)]
    for effect, task in (("none", sample_tasks.plain), ("database", sample_tasks.database)):
        kinds.append((f"toolkit task, effect {effect}", task, leased))
    base = 0.0
    for what, task, url in kinds:
        _fill(task, jobs)
        worker = subprocess.Popen(WORKER, env=dict(os.environ, BROKER_URL=url))
        try:
            figures = _drained(worker.pid, jobs)
        finally:
            worker.terminate()
            worker.wait(30)
        base = base or figures["cpu_per_1000"]
        tell(f"drain, solo: {what}", jobs=jobs, **figures, times_less_cpu=base / figures["cpu_per_1000"])
        _empty()


def _fill(task: Any, jobs: int) -> None:
    from celery import current_app

    from benchmarks import sample_tasks
    from tasks.enqueue.relay import Relay

    if task is sample_tasks.stock:
        for number in range(jobs):
            task.delay(number)
        return
    task.enqueue_many({"number": number} for number in range(jobs))
    with Relay(current_app) as relay:
        while relay.send_batch().sent:
            pass


def _drained(pid: int, jobs: int) -> dict[str, float]:
    from celery import current_app

    from tasks.operation.health import queue_depths

    def depth() -> int:
        return queue_depths(current_app, ["default"])["default"]

    while depth() > jobs * 0.9:
        time.sleep(0.05)
    first, cpu, wall = depth(), cpu_of(pid), time.perf_counter()
    while (last := depth()) > jobs * 0.1:
        time.sleep(0.05)
    cpu, wall = cpu_of(pid) - cpu, time.perf_counter() - wall
    return {"per_second": (first - last) / wall, "cpu_per_1000": cpu / (first - last) * 1000}


def at_size(rows: int) -> None:
    """Time to claim a batch and a key beside *rows* rows that are over, against a thousand of them."""
    from django.db import connection

    for size in (1_000, rows):
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")  # the project's bound is for requests
            cursor.execute("TRUNCATE tasks_outbox, tasks_ledger")
            cursor.execute(_FILL_OUTBOX, ["succeeded", "over", size])
            cursor.execute(_FILL_OUTBOX, ["queued", "waiting", WAITING])
            cursor.execute(_FILL_LEDGER, [size])
            cursor.execute("VACUUM ANALYZE tasks_outbox")
            cursor.execute("VACUUM ANALYZE tasks_ledger")
        tell("claim", rows=size, outbox_ms=_outbox_claim(), ledger_ms=_ledger_claim())
    _empty()


_FILL_OUTBOX = """
    WITH given AS (SELECT %s AS state, %s AS prefix)
    INSERT INTO tasks_outbox (task_id, name, state, priority, retries, due_at, exchange, routing_key, headers,
        properties, body, send_failures, problem, created_at, finished_at)
    SELECT prefix || n, 'x.y', state, 0, 0, now(), '', 'default', '{}', '{}', '', 0, '', now(),
        CASE WHEN state = 'succeeded' THEN now() END
    FROM given, generate_series(1, %s) AS n
"""
_FILL_LEDGER = """
    INSERT INTO tasks_ledger (key, fingerprint, state, token, owner, created_at, expires_at)
    SELECT 'key:' || n, 'f', 'done', 1, 'somebody', now(), now() + interval '30 days'
    FROM generate_series(1, %s) AS n
"""


def _outbox_claim() -> float:
    from celery import current_app
    from django.db import transaction

    from tasks.enqueue import rows
    from tasks.enqueue.relay import Relay

    relay = Relay(current_app, batch=500)
    best = 1e9
    for _ in range(20):
        with transaction.atomic(), rows.cursor() as cursor:
            began = time.perf_counter()
            relay._claim(cursor)
            best = min(best, time.perf_counter() - began)
            transaction.set_rollback(True)
    return best * 1000


def _ledger_claim() -> float:
    from datetime import timedelta

    from tasks.execution.ledgers.postgres import PostgresLedger

    ledger, best = PostgresLedger(), 1e9
    for number in range(50):
        began = time.perf_counter()
        ledger.claim(f"new:{number}", fingerprint="f", owner="me", lease=timedelta(0), ttl=timedelta(days=1))
        best = min(best, time.perf_counter() - began)
    return best * 1000


def _compare(what: str, jobs: int, cost: Any, stock: Any) -> None:
    tell(
        what,
        jobs=jobs,
        per_second=jobs / cost.wall,
        cpu_per_1000=cost.per_thousand(jobs),
        times_faster=stock.wall / cost.wall,
        times_less_cpu=stock.cpu / cost.cpu,
    )


def _empty() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE tasks_outbox, tasks_ledger")


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser(prog="./run bench effects", description=__doc__)
    parser.add_argument("--jobs", type=int, default=5_000, help="jobs a measurement (%(default)s)")
    parser.add_argument("--many", type=int, default=100_000, help="jobs in bulk (%(default)s)")
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the large tables (%(default)s)")
    arguments = parser.parse_args()
    with servers():
        enqueueing(arguments.jobs)
        enqueueing_many(arguments.many)
        draining(arguments.jobs)
        at_size(arguments.rows)


if __name__ == "__main__":
    main()
