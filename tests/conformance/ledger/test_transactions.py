"""What the ledger in the effect's own database promises beyond the others: `once`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.contrib.auth.models import Group
from django.db import OperationalError, connection, connections, transaction

from project.local.waiting import wait_until
from tasks.errors import KeyConflict
from tasks.execution.ledger import Answer, Busy, Claim, Done
from tasks.execution.ledgers.postgres import PostgresLedger
from tasks.execution.models import LedgerEntry
from tests.concurrency import at_once

pytestmark = pytest.mark.django_db(transaction=True)

LEDGER = PostgresLedger()
HOUR = timedelta(hours=1)
SHORT = timedelta(milliseconds=50)
WITHIN = timedelta(seconds=20)


class Undone(Exception):
    """Rolls a transaction back."""


@pytest.fixture(autouse=True)
def patient() -> Iterator[None]:
    """This connection would wait for ever, so whatever ends a wait is the ledger's."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = 0")
    yield
    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")


@contextmanager
def once(*, fingerprint: str = "arguments", owner: str = "one", wait: timedelta = WITHIN) -> Iterator[Answer]:
    """Ask for the key, with the values that most tests don't care about."""
    with LEDGER.once("key", fingerprint=fingerprint, owner=owner, ttl=HOUR, wait=wait) as answer:
        yield answer


def effect(name: str = "done", *, then: Callable[[], object] = lambda: None) -> None:
    """Bring about the effect, a row, once; then do that in the same transaction."""
    with once() as answer:
        if isinstance(answer, Claim):
            Group.objects.create(name=name)
            LEDGER.complete(answer, name, ttl=HOUR)
        then()


def fail(call: Callable[[], object] = lambda: None) -> None:
    """Do that, then fail."""
    call()
    raise Undone


@contextmanager
def held() -> Iterator[Event]:
    """Within it another connection's transaction has the key; setting the event lets it commit."""
    has_it, may_commit = Event(), Event()

    def hold() -> None:
        with once(owner="other") as answer:
            assert isinstance(answer, Claim)
            has_it.set()
            may_commit.wait(30)
            Group.objects.create(name="other's")
            LEDGER.complete(answer, "other's", ttl=HOUR)
        connections.close_all()

    other = Thread(target=hold)
    other.start()
    assert has_it.wait(30)
    try:
        yield may_commit
    finally:
        may_commit.set()
        other.join(30)


def waits_for_a_lock() -> bool:
    """Whether some connection to this database waits for another's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


def test_effect_and_record_commit_together() -> None:
    effect()

    assert Group.objects.count() == 1
    with once(owner="two") as answer:
        assert answer == Done(result="done", owner="one")


def test_a_rollback_leaves_nothing() -> None:
    """Not a key that is taken, nor an outcome that is unknown: the next delivery runs as if it were the first."""
    with pytest.raises(Undone):
        effect("undone", then=fail)

    assert not LedgerEntry.objects.exists()
    assert not Group.objects.exists()
    effect()
    assert Group.objects.get().name == "done"


def test_a_rollback_of_the_callers_transaction_takes_it_along() -> None:
    with pytest.raises(Undone), transaction.atomic():
        fail(effect)

    assert not LedgerEntry.objects.exists()
    assert not Group.objects.exists()


def test_a_concurrent_one_waits_and_gets_the_result() -> None:
    with held() as may_commit:
        answers: list[Answer] = []

        def ask() -> None:
            with once() as answer:
                answers.append(answer)
            connections.close_all()

        second = Thread(target=ask)
        second.start()
        assert wait_until(waits_for_a_lock, within=WITHIN)
        assert answers == []
        may_commit.set()
        second.join(30)

    assert answers == [Done(result="other's", owner="other")]
    assert Group.objects.count() == 1


def test_a_concurrent_one_that_waits_too_long_is_told_so() -> None:
    with held(), once(wait=SHORT) as answer:
        assert answer == Busy(owner="another transaction", wait=SHORT)


def test_waiting_too_long_leaves_the_callers_transaction_usable() -> None:
    with held(), transaction.atomic():
        Group.objects.create(name="the caller's")
        with once(wait=SHORT) as answer:
            assert isinstance(answer, Busy)
        Group.objects.create(name="and another")

    assert set(Group.objects.values_list("name", flat=True)) == {"the caller's", "and another", "other's"}


def test_a_claim_waits_for_a_transaction_on_its_key_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """One key used both ways is a mistake; it must not hold a worker until its time limit."""
    monkeypatch.setattr("tasks.execution.ledgers.postgres.CLAIM_WAIT", SHORT)
    with held():
        answer = LEDGER.claim("key", fingerprint="arguments", owner="one", lease=HOUR, ttl=HOUR)

    assert isinstance(answer, Busy)


def test_other_arguments_are_a_conflict_also_after_waiting() -> None:
    effect()
    with pytest.raises(KeyConflict), once(fingerprint="other"):
        pass


def test_of_a_crowd_one_brings_the_effect_about() -> None:
    ends = at_once(30, effect)

    assert ends == [None] * 30
    assert Group.objects.count() == 1


def test_the_wait_for_the_key_is_not_the_wait_for_what_the_effect_locks() -> None:
    """A short wait for the key would fail bodies that meet an ordinary lock."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        before = cursor.fetchone()
        with once(wait=SHORT):
            cursor.execute("SHOW lock_timeout")
            assert cursor.fetchone() == before


def test_other_database_errors_are_not_taken_for_a_busy_key() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '50ms'")
    try:
        with held(), pytest.raises(OperationalError, match="statement timeout"), once():
            pass
    finally:
        connection.close()


def test_a_claim_inside_a_transaction_is_refused() -> None:
    """Nobody would see it before the commit, so two could act at once."""
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        LEDGER.claim("key", fingerprint="arguments", owner="one", lease=HOUR, ttl=HOUR)


def test_what_an_earlier_claim_left_open_is_told() -> None:
    """A task that was declared external, and is now a database effect."""
    first = LEDGER.claim("key", fingerprint="arguments", owner="one", lease=HOUR, ttl=HOUR)
    assert isinstance(first, Claim)
    with once() as answer:
        assert isinstance(answer, Busy)
    LEDGER.abandon(first)
    with once() as answer:
        assert isinstance(answer, Claim)
        assert answer.unknown


def test_pruning_takes_at_most_as_many_as_it_is_told_and_leaves_what_is_locked() -> None:
    """Each batch is short, and waits for nobody."""
    for number in range(7):
        claim = LEDGER.claim(str(number), fingerprint="", owner="", lease=HOUR, ttl=HOUR)
        assert isinstance(claim, Claim)
        LEDGER.complete(claim, None, ttl=timedelta(microseconds=1))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT FROM tasks_ledger WHERE key = '0' FOR UPDATE")
        pruned = at_once(1, lambda: [LEDGER.prune(limit=4) for _ in range(3)])

    assert pruned == [[4, 2, 0]]
    assert LedgerEntry.objects.get().key == "0"


def test_a_claim_that_is_cut_off_leaves_a_session_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the signal of a time limit, while the answer is awaited. Without health checks nobody would notice."""
    monkeypatch.setitem(connection.settings_dict, "CONN_HEALTH_CHECKS", False)
    connection.close()

    def be_cut_off(*_: object) -> None:
        connection.connection.pgconn.send_query(b"SELECT 'an answer that nobody reads'")
        raise SoftTimeLimitExceeded

    with monkeypatch.context() as patch, pytest.raises(SoftTimeLimitExceeded):
        patch.setattr("tasks.execution.ledgers.postgres._taken", be_cut_off)
        LEDGER.claim("key", fingerprint="arguments", owner="one", lease=HOUR, ttl=HOUR)

    assert isinstance(LEDGER.claim("key", fingerprint="arguments", owner="one", lease=HOUR, ttl=HOUR), Claim)
