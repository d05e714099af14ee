"""When the relay may sleep."""

from __future__ import annotations

from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from celery import current_app
from django.db import connection

from tasks import task
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.relay_loop import RelayLoop
from tasks.testing.waiting import eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean_broker")]


@task("relay_loop_test.take_note", time_limit=timedelta(seconds=10))
def take_note(number: int) -> None:
    """Does nothing: no worker runs here."""


def test_a_commit_whose_word_came_with_another_answer_is_sent_all_the_same() -> None:
    """PostgreSQL tells of it once. Read with the answer to a query, that word makes no socket readable any more."""
    told: list[int] = []

    def commit_while_the_relay_asks() -> int:
        if not told:
            told.append(1)
            _in_thread(lambda: take_note.enqueue(1)).join()
            eventually(_word_has_come)
        return 0

    loop = RelayLoop(current_app, batch=10, sweep=timedelta(hours=1), chores=[commit_while_the_relay_asks])
    running = _in_thread(loop.run)
    try:
        eventually(lambda: OutboxMessage.objects.filter(state="sent").exists(), within=timedelta(seconds=30))
    finally:
        loop.stop()
        running.join()


def _word_has_come() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    session: Any = connection.connection
    return bool(session._notifies_backlog)


def _in_thread(work: Any) -> Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = Thread(target=run)
    thread.start()
    return thread
