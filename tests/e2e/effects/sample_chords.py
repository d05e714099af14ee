"""Tasks for chords and batches."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task

from tasks import Permanent, task

from .sample_tasks import note

LIMIT = timedelta(seconds=10)


@task("sample.double", time_limit=LIMIT, effect="database")
def double(number: int) -> int:
    return 2 * number


@task("sample.total", time_limit=LIMIT, effect="database")
def total(numbers: list[int], diary: str) -> int:
    note(diary, f"total {sum(numbers)} of {numbers}")
    return sum(numbers)


@task("sample.die", time_limit=LIMIT)
def die(*_: object) -> None:
    raise Permanent("no")


@task("sample.tell", time_limit=LIMIT)
def tell(diary: str, what: str) -> None:
    note(diary, what)


@shared_task(name="sample.plain_double")
def plain_double(number: int) -> int:
    return 2 * number
