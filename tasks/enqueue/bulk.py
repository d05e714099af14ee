"""Many calls of one task at once: Celery prepares the first message of each chunk, the others are made after it.

What differs between them is the task id and the arguments. Receivers of `before_task_publish` are called once a chunk,
and the headers that they add are every message's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from celery import uuid
from django.db import transaction
from kombu.utils.json import dumps

from ..conf import conf
from ..errors import UniqueRefused
from . import rows
from .models import OutboxMessage
from .outbox import registered
from .payloads import check_payload
from .recording import recording

CHUNK: Final = 5_000
REPR_MAX: Final = 1_024

# Not to be found in any message: stands where the parts that differ go.
_ID: Final = "\x00id\x00"
_KWARGS: Final = "\x00kwargs\x00"


def enqueue_many(name: str, calls: Iterable[Mapping[str, Any]], **options: Any) -> int:
    """Enqueue the task *name* once for each of *calls*, its keyword arguments; return how many.

    Written in chunks by COPY, each in the caller's transaction or, outside one, in a transaction of its own. *options*
    are those of `enqueue`, the same for all. Raises what `publish` raises; nothing of that chunk is written then.
    Raises UniqueRefused for a unique task: each of its calls is decided on its own.
    """
    task = registered(name)
    if getattr(task, "unique", None):
        raise UniqueRefused(name, "one of many that are written at once")
    remaining = iter(calls)
    written = 0
    while chunk := list(islice(remaining, CHUNK)):
        for kwargs in chunk:
            task.__header__(**kwargs)
            check_payload(name, (), kwargs, max_bytes=conf().payload_max_bytes)
        with transaction.atomic(using=rows.alias(), savepoint=False):
            written += rows.copy(_rows(task, chunk, options))
    return written


def _rows(task: Any, chunk: Sequence[Mapping[str, Any]], options: Mapping[str, Any]) -> Iterator[list[Any]]:
    with recording() as recorder:
        task.apply_async(kwargs=dict(chunk[0]), task_id=_ID, **{"producer": recorder, **options})
    template = rows.values(_with_gaps(recorder.messages[0]))
    place = {column: rows.COLUMNS.index(column) for column in ("task_id", "headers", "properties", "body")}
    hide = getattr(task, "without_secrets", _as_given)
    for kwargs in chunk:
        task_id = uuid()
        row = template.copy()
        row[place["task_id"]] = task_id
        _, shown = hide((), dict(kwargs))
        text = json.dumps(repr(shown)[:REPR_MAX])
        row[place["headers"]] = _filled(row[place["headers"]], task_id).replace(json.dumps(_KWARGS), text)
        row[place["properties"]] = _filled(row[place["properties"]], task_id)
        row[place["body"]] = row[place["body"]].replace(json.dumps(_KWARGS), dumps(dict(kwargs)))
        yield row


def _with_gaps(message: OutboxMessage) -> OutboxMessage:
    """The message with _KWARGS where its arguments stand; _ID stands where its id does already."""
    _, _, embed = json.loads(message.body)
    message.body = json.dumps([[], _KWARGS, embed])
    message.headers["kwargsrepr"] = _KWARGS
    return message


def _as_given(args: Any, kwargs: Any) -> tuple[Any, Any]:
    """What is shown of a task of Celery's own, which has no secrets."""
    return args, kwargs


def _filled(text: str, task_id: str) -> str:
    return text.replace(json.dumps(_ID), f'"{task_id}"')
