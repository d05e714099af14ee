"""Chords without a result backend: members are counted in the database.

`CELERY_RESULT_BACKEND = "tasks.execution.chords.ChordBackend"` (the default of this project) keeps no results, but it
lets a chord begin: its body is stored with the header's size. Toolkit members are counted in the transaction of their
own effect (`attempt.py`); for plain Celery members the tracer calls `on_chord_part_return`, which counts them with
Celery's guarantee.
"""

from __future__ import annotations

from typing import Any

from celery import states
from celery.backends.base import DisabledBackend
from celery.result import GroupResult, ResultBase
from django.db import connections, transaction

from ..enqueue import rows
from ..enqueue.in_force import current_recorder
from ..errors import ChordInTransaction
from .batch_models import Batch
from .batches import member_ended


class ChordBackend(DisabledBackend):
    """Keeps no results, and counts chord members."""

    def ensure_chords_allowed(self) -> None:
        """Chords are allowed."""

    def get_state(self, task_id: str) -> str:
        """Asked by Celery of a failed chain's chord member: its part has not been returned yet, as far as we know."""
        return str(states.PENDING)

    def apply_chord(self, header_result_args: Any, body: Any, **_: Any) -> None:
        """Store the body of a chord whose header is about to be sent.

        Raises ChordInTransaction when it would be sent before this is committed.
        """
        if current_recorder() is None and _in_transaction():
            raise ChordInTransaction(str(body.task))
        group_id, results = header_result_args[0], header_result_args[1]
        Batch.objects.get_or_create(
            id=group_id,
            defaults={
                "description": f"chord of {body.task}",
                "collects": True,
                "is_closed": True,
                "total": sum(1 for _ in _leaves(results)),
                "on_success": dict(body),
                "on_death": [dict(errback) for errback in body.options.get("link_error") or []] or None,
            },
        )

    def on_chord_part_return(self, request: Any, state: str, result: Any, **_: Any) -> None:
        """Count a member that the tracer, or the worker's main process, saw end."""
        with transaction.atomic(using=rows.alias()):
            member_ended(
                str(request.group),
                str(request.id),
                dead=state in states.PROPAGATE_STATES,
                position=request.group_index,
                result=result if state == states.SUCCESS else None,
            )


def _in_transaction() -> bool:
    """Whether the caller has a transaction open, other than the one that Django's tests are in."""
    blocks: list[Any] = connections[rows.alias()].atomic_blocks
    return bool(blocks) and not blocks[-1]._from_testcase


def _leaves(results: Any) -> Any:
    for result in results:
        if isinstance(result, GroupResult):
            yield from _leaves(result.results)
        elif isinstance(result, ResultBase):
            yield result
