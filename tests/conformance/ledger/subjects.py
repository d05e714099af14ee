"""The ledgers under test, each with what a test needs to know of its server."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db import connection
from django.utils import timezone
from redis import Redis

from tasks.execution.ledger import Ledger
from tasks.execution.ledgers.postgres import PostgresLedger
from tasks.execution.ledgers.redis import RedisLedger
from tasks.execution.models import LedgerEntry

PREFIX = "ledger:"


class Subject(Protocol):
    """A ledger and its server."""

    ledger: Ledger

    def now(self) -> datetime:
        """The server's time."""

    def remembered(self) -> int:
        """How many entries there are whose time is not over."""

    def step(self, span: timedelta) -> None:
        """Let the server's clock jump ahead, as its entries see it."""

    def clear(self) -> None:
        """Forget every entry."""


class PostgresSubject:
    """The ledger in the suite's PostgreSQL."""

    def __init__(self) -> None:
        self.ledger: Ledger = PostgresLedger()

    def now(self) -> datetime:
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            return cursor.fetchone()[0]  # type: ignore[no-any-return]

    def remembered(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM tasks_ledger WHERE expires_at > clock_timestamp()")
            return int(cursor.fetchone()[0])

    def step(self, span: timedelta) -> None:
        back: Any = [span, span]  # Django's stub knows no timedeltas
        with connection.cursor() as cursor:
            cursor.execute("UPDATE tasks_ledger SET lease_until = lease_until - %s, expires_at = expires_at - %s", back)

    def clear(self) -> None:
        LedgerEntry.objects.all().delete()


class RedisSubject:
    """The ledger in the suite's Valkey."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self.ledger: Ledger = RedisLedger(client, prefix=PREFIX)

    def now(self) -> datetime:
        seconds, microseconds = self.client.time()
        return datetime.fromtimestamp(seconds + microseconds / 1_000_000, tz=timezone.get_current_timezone())

    def remembered(self) -> int:
        return sum(1 for _ in self.client.scan_iter(f"{PREFIX}*"))

    def step(self, span: timedelta) -> None:
        for name in self.client.scan_iter(f"{PREFIX}*"):
            left = self.client.pttl(name)
            if self.client.hget(name, "lease_until"):
                self.client.hincrby(name, "lease_until", -round(span / timedelta(microseconds=1)))
            self.client.pexpire(name, left - round(span / timedelta(milliseconds=1)))

    def clear(self) -> None:
        self.client.flushdb()
