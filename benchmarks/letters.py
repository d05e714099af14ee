"""How quick dead letters are to find among a million, and whether a redrive holds its rate: `./run bench letters`.

Prints one line of JSON a measurement; `milliseconds` are the median of several.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from benchmarks.servers import servers

TIMES = 5
RELAY = [sys.executable, "manage.py", "relay", "--sweep", "1"]

# A year of letters, most of them closed, of 40 tasks, 300 causes and 20 releases; a few causes have most of them.
_FILL = """
    INSERT INTO tasks_deadletter (
        task_id, generation, name, state, reason, queue, exchange, priority, headers, properties, body, root_id,
        parent_id, group_id, batch_id, idempotency_key, error_type, error_message, culprit, fingerprint, release,
        retries, deliveries, deaths, first_seen_at, last_seen_at, closed_at, closed_by, note
    )
    SELECT
        gen_random_uuid(), 0, 'bench.task_' || n %% 40, CASE WHEN n %% 5 = 0 THEN 'open' ELSE 'discarded' END,
        (ARRAY['permanent', 'exhausted', 'error', 'hard_limit', 'expired'])[1 + n %% 5],
        (ARRAY['critical', 'high', 'default', 'low', 'media'])[1 + n %% 5], 'default', 3,
        '{"lang": "py", "retries": 0}', '{}', '[[' || n || '], {}, {}]', gen_random_uuid(), '', '', '',
        'bench:' || n, 'UpstreamAway', 'the upstream answered 503 to request ' || n, 'bench.tasks:call',
        md5((floor(300 * power(random(), 3)))::text), 'r' || n / 50000, 5, 1, 1, at, at,
        CASE WHEN n %% 5 = 0 THEN NULL ELSE at END, '', ''
    FROM (
        SELECT n, now() - interval '365 days' * power((%(count)s - n)::float / %(count)s, 2) AS at
        FROM generate_series(1, %(count)s) n
    ) made
"""
_DEAD = """
    INSERT INTO tasks_deadletter (
        task_id, generation, name, state, reason, queue, exchange, priority, headers, properties, body, root_id,
        parent_id, group_id, batch_id, idempotency_key, error_type, error_message, culprit, fingerprint, release,
        retries, deliveries, deaths, first_seen_at, last_seen_at, closed_by, note
    )
    SELECT id, 0, 'bench.plain', 'open', 'exhausted', 'default', 'default', 3,
        jsonb_build_object('lang', 'py', 'id', id, 'task', 'bench.plain', 'retries', 5, 'root_id', id), '{}',
        '[[' || n || '], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]', id,
        '', '', '', '', 'Transient', 'away', '', 'redrive', '', 5, 1, 1, now(), now(), '', ''
    FROM (SELECT n, gen_random_uuid()::text AS id FROM generate_series(1, %(count)s) n) made
"""


def tell(what: str, **figures: Any) -> None:
    """One line of JSON."""
    print(json.dumps({"what": what, **figures}), flush=True)


def execute(statement: str, **values: Any) -> None:
    """One statement, committed."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def check(is_so: bool, problem: str) -> None:
    """A measurement of something else than it says is worse than none."""
    if not is_so:
        raise SystemExit(problem)


def milliseconds(call: Callable[[], Any]) -> float:
    """The median of TIMES, the first call, which may fill caches, left out."""
    call()
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(taken), 1)


def finding(count: int) -> None:
    """Every page of the admin on which letters are looked for, as a browser asks for it."""
    from django.contrib.auth.models import User
    from django.test import Client

    from tasks.failure.letter_models import DeadLetter

    began = time.perf_counter()
    execute("SET statement_timeout = 0")  # the pages keep theirs
    execute(_FILL, count=count)
    execute("RESET statement_timeout")
    execute("VACUUM ANALYZE tasks_deadletter")
    tell("letters were made", letters=count, seconds=round(time.perf_counter() - began, 1))
    client = Client()
    client.force_login(User.objects.create_superuser("bench"))
    letter = DeadLetter.objects.filter(state="open").order_by("-pk")[1000]
    pages = {
        "open ones": "",
        "of a task": "?name=bench.task_5",
        "of a task, in any state": "?name=bench.task_7&state=any",
        "of a queue": "?queue=critical",
        "of a reason": "?reason=permanent",
        "of a release": f"?release={letter.release}",
        "of a cause": f"?fingerprint={letter.fingerprint}",
        "of the last hour": "?age=hour",
        "of the last day, in any state": "?age=day&state=any",
        "older ones of a task": "?age=older&name=bench.task_5",
        "the hundredth page": "?p=100",
        "by task id": f"?q={letter.task_id}",
        "by root id": f"?q={letter.root_id}",
        "by idempotency key": f"?q={letter.idempotency_key}",
        "by an id that isn't there": "?q=nonsense",
        "by cause": "causes/",
        "one letter": f"{letter.pk}/change/",
        "before redriving a cause": f"redrive/?fingerprint={letter.fingerprint}",
    }
    for what, address in pages.items():

        def ask(address: str = address) -> None:
            answer = client.get(f"/admin/tasks/deadletter/{address}")
            check(answer.status_code == 200, f"{address}: {answer.status_code}")

        tell(f"page: {what}", letters=count, milliseconds=milliseconds(ask))


def redriving(count: int, rate: float) -> None:
    """Letters of a real task, with a relay that sends them; what it sent in each second is counted afterwards."""
    from django.db import connection

    from benchmarks import sample_tasks  # noqa: F401 -- the task must be known here
    from tasks.enqueue.models import OutboxMessage
    from tasks.execution.redrive import redrive_all
    from tasks.failure.letter_filters import LetterFilter

    execute(_DEAD, count=count)
    which = LetterFilter(fingerprint="redrive")
    relay = subprocess.Popen(RELAY, env=dict(os.environ))
    try:
        began = time.perf_counter()
        done = redrive_all(which, by="bench", rate=rate)
        asked = time.perf_counter() - began
        check((done.count, done.refusals) == (count, 0), str(done))
        deadline = time.monotonic() + 3 * count / rate + 30
        while OutboxMessage.objects.filter(name="bench.plain").exclude(state="sent").exists():
            check(time.monotonic() < deadline, "the relay doesn't keep up")
            time.sleep(0.5)
    finally:
        relay.terminate()
        relay.wait()
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM sent_at - min(due_at) OVER ())::float FROM tasks_outbox")
        times = [row[0] for row in cursor.fetchall()]
        cursor.execute("SELECT extract(epoch FROM percentile_cont(0.99) WITHIN GROUP (ORDER BY sent_at - due_at)) "
                       "FROM tasks_outbox")  # fmt: skip
        late = float(cursor.fetchone()[0])
    whole = [sent for second, sent in sorted(Counter(int(at) for at in times).items())][1:-1]
    tell(
        "redrive",
        letters=count,
        rate=rate,
        written_in_seconds=round(asked, 1),
        sent_per_second=round(count / max(times), 1),
        slowest_second=min(whole, default=None),
        quickest_second=max(whole, default=None),
        late_p99_seconds=round(late, 3),
    )


def main() -> int:
    """Run it on servers of its own."""
    parser = argparse.ArgumentParser(prog="./run bench letters", description=__doc__)
    parser.add_argument("--letters", type=int, default=1_000_000, help="to find some among (%(default)s)")
    parser.add_argument("--redrive", type=int, default=10_000, help="to redrive (%(default)s)")
    parser.add_argument("--rate", type=float, default=500, help="a second (%(default)s)")
    arguments = parser.parse_args()
    with servers():
        redriving(arguments.redrive, arguments.rate)
        finding(arguments.letters)
    return 0


if __name__ == "__main__":
    sys.exit(main())
