"""`idempotent`: an effect under a key happens once, in code that is no task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import override_settings
from redis import Redis

from project.local.waiting import wait_until
from tasks import KeyConflict, KeyInProgress, OutcomeUnknown, idempotent
from tasks.errors import ClaimLost, ResultRefused
from tasks.execution.ledger import Ledger
from tasks.execution.ledgers.postgres import PostgresLedger
from tasks.execution.ledgers.redis import RedisLedger
from tests.concurrency import at_once

pytestmark = pytest.mark.django_db(transaction=True)

TINY = timedelta(milliseconds=1)
WITHIN = timedelta(seconds=20)


class Undone(Exception):
    """What goes wrong."""


@pytest.fixture
def redis_ledger(clean_cache: str) -> Iterator[RedisLedger]:
    with closing(Redis.from_url(clean_cache, socket_timeout=10)) as client:
        yield RedisLedger(client)


@pytest.fixture(params=["postgres", "redis"])
def ledger(request: pytest.FixtureRequest, redis_ledger: RedisLedger) -> Ledger:
    """The database's, and one that isn't."""
    return PostgresLedger() if request.param == "postgres" else redis_ledger


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    with override_settings(TASKS={"LEDGER_WAIT": timedelta(milliseconds=50)}):
        yield


def invite(
    ledger: Ledger, *, result: Any = "invited", then: Callable[[], object] = lambda: None, **options: Any
) -> Any:
    """Write a row, once; do that; return whether it was a replay, and the result."""
    with idempotent("the key", ledger=ledger, **options) as effect:
        if not effect.replayed:
            Group.objects.create(name=str(Group.objects.count()))
            effect.result = result
            then()
    return effect.replayed, effect.result


def fail(error: BaseException) -> Callable[[], None]:
    """What raises *error* when it is called."""

    def raising() -> None:
        raise error

    return raising


def test_the_second_block_is_given_the_firsts_result(ledger: Ledger) -> None:
    assert invite(ledger, result={"id": 1}) == (False, {"id": 1})
    assert invite(ledger, result={"id": 2}) == (True, {"id": 1})
    assert Group.objects.count() == 1


def test_a_result_need_not_be_set(ledger: Ledger) -> None:
    with idempotent("the key", ledger=ledger) as effect:
        assert (effect.key, effect.replayed) == ("the key", False)
    with idempotent("the key", ledger=ledger) as effect:
        assert (effect.replayed, effect.result) == (True, None)


def test_without_another_ledger_it_is_the_databases() -> None:
    with idempotent("the key") as effect:
        effect.result = 1
    assert invite(PostgresLedger()) == (True, 1)


def test_other_arguments_are_a_conflict(ledger: Ledger) -> None:
    invite(ledger, arguments={"team": 1, "role": "guest"})
    assert invite(ledger, arguments={"role": "guest", "team": 1})[0]
    with pytest.raises(KeyConflict):
        invite(ledger, arguments={"team": 2, "role": "guest"})


def test_a_block_that_fails_does_not_consume_the_key(ledger: Ledger) -> None:
    with pytest.raises(Undone):
        invite(ledger, then=fail(Undone()))
    assert not invite(ledger)[0]


def test_in_the_database_a_block_that_fails_leaves_nothing() -> None:
    with pytest.raises(Undone):
        invite(PostgresLedger(), then=fail(Undone()))
    assert not Group.objects.exists()


def test_in_the_database_it_is_part_of_the_callers_transaction() -> None:
    def both() -> None:
        with transaction.atomic():
            invite(PostgresLedger())
            raise Undone

    with pytest.raises(Undone):
        both()
    assert not Group.objects.exists()
    assert not invite(PostgresLedger())[0]


def test_a_block_under_way_makes_others_wait_then_refuses_them(ledger: Ledger) -> None:
    with idempotent("the key", ledger=ledger):
        refused = at_once(3, lambda: invite(ledger))
    assert [type(error) for error in refused] == [KeyInProgress] * 3


def test_of_a_crowd_one_does_it(ledger: Ledger) -> None:
    """The others are given its result, or told that it is under way."""
    ends = at_once(20, lambda: invite(ledger))
    assert ends.count((False, "invited")) == 1
    assert all(end in [(False, "invited"), (True, "invited")] or isinstance(end, KeyInProgress) for end in ends)
    assert Group.objects.count() == 1


@pytest.mark.parametrize("cut", [SoftTimeLimitExceeded(), MemoryError(), OutcomeUnknown("the key")])
def test_outside_the_database_a_block_that_was_cut_off_is_unknown(redis_ledger: RedisLedger, cut: Exception) -> None:
    """Whether a call was on its way then, nobody can say; it stays so until somebody settles it."""
    with pytest.raises(type(cut)):
        invite(redis_ledger, then=fail(cut))
    for _ in range(2):
        with pytest.raises(OutcomeUnknown, match="settle_effect"):
            invite(redis_ledger)
    assert redis_ledger.settle("the key", None)
    assert not invite(redis_ledger)[0]


def test_outside_the_database_a_process_that_vanished_leaves_the_outcome_unknown(redis_ledger: RedisLedger) -> None:
    with pytest.raises(KeyboardInterrupt):
        invite(redis_ledger, then=fail(KeyboardInterrupt()), lease=TINY)

    def is_unknown() -> bool:
        try:
            invite(redis_ledger)
        except KeyInProgress:
            return False
        except OutcomeUnknown:
            return True
        raise AssertionError("it was brought about twice")

    assert wait_until(is_unknown, within=WITHIN)


def test_outside_the_database_a_block_that_took_too_long_can_not_commit(redis_ledger: RedisLedger) -> None:
    def another() -> None:
        assert wait_until(lambda: redis_ledger.settle("the key", None), within=WITHIN)
        assert not invite(redis_ledger, result="in time")[0]

    with pytest.raises(ClaimLost):
        invite(redis_ledger, then=another, lease=TINY, result="late")
    assert invite(redis_ledger) == (True, "in time")


def test_a_result_that_can_not_be_stored_is_refused_with_its_effect() -> None:
    with pytest.raises(ResultRefused, match="'the key' can't be stored as JSON"):
        invite(PostgresLedger(), result=object())
    assert not Group.objects.exists()


@pytest.mark.parametrize("key", ["", "x" * 256, "a\x00b", "line\nbreak", 7])
def test_a_key_that_is_none_is_refused(key: Any) -> None:
    with pytest.raises(ValueError, match="printable text of 1 to 255 characters"), idempotent(key):
        pass
