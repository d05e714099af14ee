"""P1 at its second half: what is committed reaches the broker, whatever happens to the relay or the broker."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from celery import current_app, shared_task
from django.db import connection, transaction
from kombu import Connection

from config.queues import QUEUES
from project.env import PROJECT_ROOT
from project.local.child import Child
from project.local.ports import FreePorts
from project.local.valkey import BrokerValkey
from project.local.waiting import wait_until
from tasks import task
from tasks.enqueue.bulk import enqueue_many
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.outbox import enqueue
from tasks.enqueue.relay import Relay
from tasks.enqueue.status import JobStatus, status
from tasks.operation.health import queue_depths
from tasks.operation.reconciler import finished_prune, unfinished_send_again

WITHIN = timedelta(seconds=60)


@task("relay_test.take_note", time_limit=timedelta(seconds=10))
def take_note(number: int) -> None:
    """Does nothing: no worker runs here."""


@shared_task(name="relay_test.stock")
def stock(number: int) -> None:
    """Celery's own."""


def states() -> dict[str, int]:
    """How many rows there are of each state."""
    counts: dict[str, int] = {}
    for state in OutboxMessage.objects.values_list("state", flat=True):
        counts[state] = counts.get(state, 0) + 1
    return counts


def waiting_at_broker() -> int:
    """Messages in all queues."""
    return sum(queue_depths(current_app, QUEUES).values())


@pytest.fixture
def relay(process_environment: dict[str, str], tmp_path: Path) -> Iterator[Child]:
    """`manage.py relay`, not started."""
    child = Child(
        name="relay",
        command=[sys.executable, "manage.py", "relay"],
        environment=process_environment,
        directory=PROJECT_ROOT,
        log=tmp_path / "relay.log",
    )
    yield child
    child.kill()


def test_the_relay_sends_what_is_committed_as_soon_as_it_is(relay: Child) -> None:
    """It is woken by the commit: with a sweep of an hour it would be too late otherwise."""
    relay._command = [sys.executable, "manage.py", "relay", "--sweep", "3600"]
    relay.start()
    assert wait_until(lambda: "relay started" in relay.log_tail(), within=WITHIN)
    with transaction.atomic():
        task_id = take_note.enqueue(1)
    assert wait_until(lambda: waiting_at_broker() == 1, within=WITHIN)
    sent = OutboxMessage.objects.filter(task_id=task_id, state="sent")
    assert wait_until(sent.exists, within=WITHIN), "the broker has it first, and its row says so with the commit"


def test_a_scheduled_row_is_sent_when_it_is_due(relay: Child) -> None:
    relay.start()
    take_note.enqueue(1, countdown=0.5)
    take_note.enqueue(2, countdown=3600)
    assert wait_until(lambda: states() == {"sent": 1, "scheduled": 1}, within=WITHIN)


def test_a_relay_killed_between_broker_and_commit_sends_twice_and_loses_nothing(
    process_environment: dict[str, str], tmp_path: Path, relay: Child
) -> None:
    """The one place where a message is sent twice; the task id is the same, so the ledger lets it act once."""
    process_environment["CRASH_AT"] = f"relay:after_send@{tmp_path}"
    task_id = take_note.enqueue(1)
    relay.start()
    assert relay.ended(within=WITHIN)
    assert relay.exit_code == -signal.SIGKILL
    assert (status(task_id), waiting_at_broker()) == (JobStatus.QUEUED, 1)
    relay.start()
    assert wait_until(lambda: states() == {"sent": 1}, within=WITHIN)
    assert waiting_at_broker() == 2


def test_two_relays_send_each_message_once(process_environment: dict[str, str], tmp_path: Path) -> None:
    """SKIP LOCKED: neither waits for the other, and no row is sent by both."""
    enqueue_many("relay_test.take_note", ({"number": number} for number in range(3_000)))
    relays = [
        Child(
            name=f"relay{number}",
            command=[sys.executable, "manage.py", "relay", "--batch", "50", "--once"],
            environment=process_environment,
            directory=PROJECT_ROOT,
            log=tmp_path / f"relay{number}.log",
        )
        for number in range(2)
    ]
    for child in relays:
        child.start()
    assert all(child.ended(within=WITHIN) and child.exit_code == 0 for child in relays)
    for child in relays:
        child.bury()  # its number may soon be another process's
    assert states() == {"sent": 3_000}
    assert waiting_at_broker() == 3_000


def test_sigterm_finishes_the_batch_in_hand(relay: Child) -> None:
    """What the broker has is marked sent: a deploy doubles nothing."""
    enqueue_many("relay_test.take_note", ({"number": number} for number in range(5_000)))
    relay._command = [sys.executable, "manage.py", "relay", "--batch", "20"]
    relay.start()
    assert wait_until(lambda: waiting_at_broker() > 0, within=WITHIN)
    relay.stop()
    assert relay.exit_code == 0
    assert states().get("sent", 0) == waiting_at_broker()


def test_while_the_broker_is_away_rows_stay_and_go_out_when_it_is_back(
    process_environment: dict[str, str], tmp_path: Path, relay: Child
) -> None:
    """Nothing is lost, and nobody has to start anything again."""
    broker = BrokerValkey(directory=tmp_path / "broker", port=FreePorts().pick("broker"), name="broker")
    process_environment["BROKER_URL"] = broker.url
    take_note.enqueue(1)
    relay.start()
    assert wait_until(lambda: "the broker took nothing" in relay.log_tail(), within=WITHIN)
    assert states() == {"queued": 1}
    with broker, Connection(broker.url):
        assert wait_until(lambda: states() == {"sent": 1}, within=WITHIN)


@pytest.mark.usefixtures("transactional_db", "clean_broker")
def test_a_message_that_cannot_be_published_is_set_aside_and_the_others_go() -> None:
    """One bad row must not hold up the outbox for ever."""
    good = [take_note.enqueue(number) for number in range(3)]
    bad = take_note.enqueue(99)
    OutboxMessage.objects.filter(task_id=bad).update(properties={"routing_key": "twice"})
    with Relay(current_app) as relay:
        done = relay.send_batch()
    assert (done.sent, [task_id for _, task_id, _ in done.refused]) == (3, [bad])
    row = OutboxMessage.objects.get(task_id=bad)
    assert row.state == "unsendable"
    assert row.problem
    assert status(bad) is JobStatus.DEAD
    assert {status(task_id) for task_id in good} == {JobStatus.QUEUED}


@pytest.mark.usefixtures("transactional_db", "clean_broker")
def test_urgent_messages_are_sent_before_older_ones() -> None:
    patient = take_note.enqueue(1, priority=9)
    urgent = take_note.enqueue(2, priority=0)
    with Relay(current_app, batch=1) as relay:
        relay.send_batch()
    assert OutboxMessage.objects.get(task_id=urgent).state == "sent"
    assert OutboxMessage.objects.get(task_id=patient).state == "queued"


@pytest.mark.usefixtures("transactional_db", "clean_broker")
def test_what_was_sent_and_never_finished_is_sent_again() -> None:
    """The broker lost its memory; the outbox has not."""
    task_id = take_note.enqueue(1)
    with Relay(current_app) as relay:
        relay.send_batch()
        assert unfinished_send_again(current_app, older_than=timedelta(0)) == 0  # the broker has it still
        current_app.control.purge()
        assert unfinished_send_again(current_app, older_than=timedelta(hours=1)) == 0
        assert unfinished_send_again(current_app, older_than=timedelta(0)) == 1
        relay.send_batch()
    assert waiting_at_broker() == 1
    assert status(task_id) is JobStatus.QUEUED


@pytest.mark.usefixtures("transactional_db", "clean_broker")
def test_a_task_of_celerys_own_is_sent_once_as_nobody_tells_when_it_has_run() -> None:
    """To send it again, because it has not ended and the broker has it no more, would be to run it again."""
    task_id = enqueue(stock.si(1))
    with Relay(current_app) as relay:
        assert relay.send_batch().sent == 1
    current_app.control.purge()

    assert unfinished_send_again(current_app, older_than=timedelta(0)) == 0
    assert status(task_id) is JobStatus.QUEUED
    assert finished_prune(older_than=timedelta(0)) == 1


@pytest.mark.usefixtures("transactional_db")
def test_only_what_ended_long_ago_is_pruned_and_a_bounded_number_at_once() -> None:
    ids = [take_note.enqueue(number) for number in range(5)]
    OutboxMessage.objects.filter(task_id__in=ids[:4]).update(state="succeeded", finished_at="2020-01-01T00:00Z")
    assert finished_prune(older_than=timedelta(days=7), limit=3) == 3
    assert finished_prune(older_than=timedelta(days=7), limit=3) == 1
    assert [status(task_id) for task_id in ids].count(JobStatus.UNKNOWN) == 4
    assert status(ids[4]) is JobStatus.QUEUED


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT id FROM tasks_outbox WHERE state = 'queued' ORDER BY priority, id LIMIT 500", "tasks_outbox_queued"),
        (
            "SELECT id FROM tasks_outbox WHERE state = 'scheduled' AND due_at <= now() ORDER BY due_at LIMIT 500",
            "tasks_outbox_scheduled",
        ),
    ],
)
def test_claiming_reads_an_index_and_sorts_nothing(query: str, index: str) -> None:
    """However many rows are there, a claim reads as many as it takes, in the index's order."""
    with connection.cursor() as cursor:
        cursor.execute("""
            INSERT INTO tasks_outbox (task_id, name, state, priority, retries, due_at, exchange, routing_key, headers,
                properties, body, send_failures, problem, created_at, finished_at)
            SELECT n::text, 'x.y', CASE WHEN n % 10 = 0 THEN 'queued' WHEN n % 10 = 1 THEN 'scheduled'
                ELSE 'succeeded' END, n % 4, 0, now(), '', 'default', '{}', '{}', '', 0, '', now(), now()
            FROM generate_series(1, 100000) AS n
        """)
        cursor.execute("ANALYZE tasks_outbox")
        cursor.execute("EXPLAIN " + query)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert index in plan
    assert "Sort" not in plan
    assert "Seq Scan" not in plan
