"""Tasks whose bodies do what a test says, and what tests of attempts need besides."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.utils import timezone

from tasks import RetryPolicy, task
from tasks.execution.ledgers.postgres import PostgresLedger
from tasks.execution.models import LedgerEntry
from tests.concurrency import at_once

LIMIT = timedelta(minutes=1)
HOUR = timedelta(hours=1)
ONCE = RetryPolicy.after(timedelta(0))

in_body: dict[str, Callable[[], Any]] = {}
hook: dict[str, Callable[[], Any]] = {}


def asked(key: str) -> Any:
    return hook["now"]()


def body(name: str) -> Any:
    """Every body of this file: a row, and what the test says."""
    Group.objects.create(name=f"{name} {Group.objects.count()}")
    return in_body["now"]()


@task("attempts.inside", time_limit=LIMIT, retry=ONCE, effect="database", once="{key}")
def inside(key: str) -> Any:
    return body("inside")


@task("attempts.outside", time_limit=LIMIT, retry=ONCE, effect="external", once="{key}", reconcile=asked)
def outside(key: str) -> Any:
    return body("outside")


@task("attempts.never_again", time_limit=LIMIT, retry=RetryPolicy.never(), effect="external", once="{key}")
def never_again(key: str) -> Any:
    return body("never again")


@task("attempts.err_twice", time_limit=LIMIT, retry=ONCE, effect="external", once="{key}", on_unknown="retry")
def err_twice(key: str) -> Any:
    return body("twice")


@task("attempts.plain", time_limit=LIMIT, retry=RetryPolicy.never())
def plain(key: str) -> Any:
    return body("plain")


@task("attempts.go_on", time_limit=LIMIT)
def go_on() -> None: ...


@task("attempts.mourn", time_limit=LIMIT)
def mourn() -> None: ...


EVERY = [inside, outside, plain]


def follows() -> dict[str, Any]:
    """A next link and an error callback, as a message has them."""
    link = go_on.si()
    link.freeze()
    return {"chain": [dict(link)], "errbacks": [dict(mourn.si())]}


def raising(error: Exception) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


def elsewhere(call: Callable[[], Any]) -> Callable[[], Any]:
    """Do that on another connection, and answer what it returned."""

    def there() -> Any:
        (answer,) = at_once(1, call)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return there


def lapse() -> None:
    """Let every lease be over."""
    LedgerEntry.objects.filter(state="claimed").update(lease_until=timezone.now() - HOUR)


def claim_of(key: str) -> Any:
    """What the next to ask for the key is told."""
    entry = LedgerEntry.objects.get(key=key)
    return PostgresLedger().claim(key, fingerprint=entry.fingerprint, owner="x", lease=HOUR, ttl=HOUR)
