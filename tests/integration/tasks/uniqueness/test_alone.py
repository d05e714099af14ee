"""Another job may stand for a unique one, so nothing can be made to follow it: refused where the canvas is enqueued."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from celery import chain, chord, group
from django.db import transaction

from tasks import Batch, JobStatus, status
from tasks.enqueue.models import OutboxMessage
from tasks.enqueue.outbox import enqueue
from tasks.enqueue.unique_models import UniqueLock
from tasks.errors import UniqueRefused
from tests.integration.tasks.uniqueness.sample_unique import plain, skip_until_finished

pytestmark = pytest.mark.django_db(transaction=True)


def unique() -> Any:
    """A call of a unique task."""
    return skip_until_finished.si(1)


CANVASES: dict[str, Callable[[], Any]] = {
    "head of a chain": lambda: chain(unique(), plain.si()),
    "middle of a chain": lambda: chain(plain.si(), unique(), plain.si()),
    "end of a chain": lambda: chain(plain.si(), plain.si(), unique()),
    "member of a group": lambda: group(plain.si(), unique()),
    "member of a chord": lambda: chord([plain.si(), unique()], plain.si()),
    "body of a chord": lambda: chord([plain.si(), plain.si()], unique()),
    "group in a chain": lambda: chain(plain.si(), group(plain.si(), unique()), plain.si()),
    "chord in a chain": lambda: chain(plain.si(), chord([plain.si()], unique())),
    "callback": lambda: plain.si().set(link=unique()),
    "error callback": lambda: plain.si().on_error(unique()),
    "error callback of a chain": lambda: chain(plain.si(), plain.si()).on_error(unique()),
    "error callback of a link": lambda: chain(plain.si(), plain.si().on_error(unique())),
    "with a callback": lambda: unique().set(link=plain.si()),
    "with an error callback": lambda: unique().on_error(plain.si()),
}


@pytest.mark.parametrize("canvas", CANVASES.values(), ids=CANVASES.keys())
def test_a_unique_task_in_a_canvas_is_refused_and_nothing_is_written(canvas: Callable[[], Any]) -> None:
    """At the call, not in the worker that comes to it."""
    with pytest.raises(UniqueRefused, match="can't be part of a chain, group, chord or batch, or a callback"):
        enqueue(canvas())
    assert not OutboxMessage.objects.exists()
    assert not UniqueLock.objects.exists()


@pytest.mark.parametrize("canvas", CANVASES.values(), ids=CANVASES.keys())
def test_it_is_refused_on_the_way_straight_to_the_broker_too(canvas: Callable[[], Any]) -> None:
    with pytest.raises(UniqueRefused):
        canvas().apply_async()


@pytest.mark.parametrize("place", ["complete", "success", "death"])
def test_it_is_no_callback_of_a_batch(place: str) -> None:
    callbacks: Any = {place: unique()}
    with pytest.raises(UniqueRefused), Batch(**callbacks):
        pass


@pytest.mark.parametrize("member", [unique, lambda: chain(plain.si(), unique())], ids=["alone", "in a chain"])
def test_it_is_no_member_of_a_batch(member: Callable[[], Any]) -> None:
    """The job that stood for it would not be counted."""
    with pytest.raises(UniqueRefused), Batch() as batch:
        batch.add(member())
    assert not OutboxMessage.objects.exists()


def test_many_at_once_are_refused() -> None:
    """Each of them is decided on its own."""
    with pytest.raises(UniqueRefused, match="can't be one of many that are written at once"):
        skip_until_finished.enqueue_many([{"user_id": 1}])


def test_a_refusal_leaves_the_callers_transaction_usable_where_the_unique_task_is_the_head() -> None:
    with transaction.atomic():
        with pytest.raises(UniqueRefused):
            skip_until_finished.enqueue(1, link=plain.si())
        task_id = skip_until_finished.enqueue(1)
    assert status(task_id) is JobStatus.QUEUED
