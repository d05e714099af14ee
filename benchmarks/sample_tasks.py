"""Jobs that do as little as can be, so that what surrounds them is measured."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task

from tasks import task

LIMIT = timedelta(seconds=30)


@shared_task(name="bench.stock", acks_late=True)
def stock(number: int) -> None:
    """Stock Celery's."""


@task("bench.plain", time_limit=LIMIT)
def plain(number: int) -> None:
    """A toolkit task without an effect of its own."""


@task("bench.database", time_limit=LIMIT, effect="database", once="bench:{number}")
def database(number: int) -> None:
    """A toolkit task whose effect is in the database."""
