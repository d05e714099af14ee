"""How the system is: the checks behind the health endpoints and the staff page."""

from __future__ import annotations

from dataclasses import dataclass

from celery import current_app
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from config.limits import OUTBOX_LAG_MAX
from config.queues import QUEUES
from tasks.operation import health


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question and its answer; *problem* is empty when all is well."""

    name: str
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """A queue that tasks are routed to: how many messages wait, and who drinks from it, None if that can't be told."""

    name: str
    depth: int
    consumers: tuple[str, ...] | None

    @property
    def problem(self) -> str:
        """Why nobody carries out what waits here; empty when somebody does."""
        return "" if self.consumers or self.consumers is None else f"no worker consumes the queue {self.name!r}"


def readiness_list() -> list[Check]:
    """Whether this process can do its work: database, migrations, broker."""
    database = _database_problem()
    checks = [Check(name="database", problem=database)]
    if not database:
        checks.append(Check(name="migrations", problem=_migrations_problem()))
        checks.append(Check(name="outbox", problem=_outbox_problem()))
    checks.append(Check(name="broker", problem=_broker_problem()))
    return checks


def queue_status_list() -> list[QueueStatus]:
    """Each queue by class of service. Raises BrokerAway."""
    depths = health.queue_depths(current_app, QUEUES)
    consumers = health.queue_consumers(current_app)
    return [
        QueueStatus(
            name=name, depth=depths[name], consumers=None if consumers is None else tuple(consumers.get(name, ()))
        )
        for name in QUEUES
    ]


def _database_problem() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return f"{type(error).__name__} from the database"
    return ""


def _outbox_problem() -> str:
    try:
        lag = health.outbox_lag()
    except DatabaseError as error:  # the table comes with a migration
        return f"{type(error).__name__} from the outbox"
    if lag <= OUTBOX_LAG_MAX:
        return ""
    return f"a message has waited for {lag.total_seconds():.0f} s to be sent: is the broker there, and a relay running?"


def _broker_problem() -> str:
    try:
        health.broker_ping(current_app)
    except health.BrokerAway as error:
        return str(error)
    return ""


def _migrations_problem() -> str:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return f"{type(error).__name__} from the database"
    if not missing:
        return ""
    return f"{len(missing)} migrations are not applied: run `manage.py migrate`"
