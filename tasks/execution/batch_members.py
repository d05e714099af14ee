"""What may be a member of a batch: only what is counted whatever becomes of it, or the batch would never be over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from celery import current_app
from celery.canvas import Signature, _chain, chord, group
from django.db import transaction

from ..enqueue import rows
from ..enqueue.outbox import enqueue
from ..enqueue.stock import is_stock
from ..enqueue.unique_alone import refuse_unique
from ..errors import MemberRefused
from .chords import ChordBackend
from .ends import HEADER

_BATCH_OF: Final = "SELECT coalesce(headers ->> %s, '') FROM tasks_outbox WHERE task_id = %s"

_GROUP: Final = "it has no end of its own: add each of its tasks, or let a task follow it"
_EMPTY: Final = "there is nothing in it: leave it out"
_HEADERS: Final = "headers given to all of it would take the batch's place: set them on its tasks"
_BACKEND: Final = "a chord is counted only if CELERY_RESULT_BACKEND is 'tasks.execution.chords.ChordBackend': set that"
_STOCK: Final = "it is a plain Celery task, and no batch is told of its end: declare it with @task"
_ANOTHERS: Final = "its id is the end of another member: give each its own"
_TAKEN: Final = "a job was enqueued under that id before, which this batch would wait for in vain: give it another id"


class Member:
    """One, on its way into the outbox: a copy of *canvas*, whose end carries the header by which it is counted.

    options: of `enqueue`. Raises MemberRefused.
    """

    def __init__(self, canvas: Signature[Any], batch_id: str, options: Mapping[str, Any]) -> None:
        refuse_unique(canvas)
        self._batch_id, self._options = batch_id, dict(options)
        self._whole: Any = canvas.clone()
        headers = {**(self._whole.options.pop("headers", None) or {}), **(self._options.pop("headers", None) or {})}
        if headers:
            self._give_headers(self._whole, headers)
        end = self._end(self._whole)
        end.options["headers"] = {**(end.options.get("headers") or {}), HEADER: batch_id}
        self.is_task = end is self._whole
        own = None if self.is_task else end.options.get("task_id")  # which Celery doesn't take from it
        self.task_id: str | None = own or self._options.get("task_id") or self._whole.options.get("task_id")

    def write(self, ends: set[str]) -> str | None:
        """Enqueue it, in the caller's transaction; return its task id, None for a task that is a member already by it.

        ends: ids given to the batch's chains and chords, of which the outbox knows nothing yet. Raises MemberRefused
        for the id of another job: it would be left as it is, and counted for nothing or once.
        """
        if self.task_id is None:
            return enqueue(self._whole, **self._options)
        if self.task_id in ends:
            raise self._id_refusal(_ANOTHERS)
        with transaction.atomic(using=rows.alias()):
            found = self._batch_of_job()
            if found is not None:
                if self.is_task and found == self._batch_id:
                    return None
                raise self._id_refusal(_TAKEN)
            enqueue(self._whole, **{**self._options, "task_id": self.task_id})
            if not self.is_task:
                ends.add(self.task_id)
            elif self._batch_of_job() != self._batch_id:  # somebody else has enqueued it at the same time
                raise self._id_refusal(_TAKEN)
        return self.task_id

    def _id_refusal(self, why: str) -> MemberRefused:
        return MemberRefused(self._batch_id, f"{self._whole.task}[{self.task_id}]", why)

    def _batch_of_job(self) -> str | None:
        """Of the job of this id: its batch, "" if it is in none; None when there is no such job."""
        with rows.cursor() as cursor:
            cursor.execute(_BATCH_OF, [HEADER, self.task_id])
            found = cursor.fetchone()
        return found[0] if found else None

    def _give_headers(self, canvas: Any, headers: Mapping[str, Any]) -> None:
        """To the task that is sent first, as Celery would."""
        if isinstance(canvas, group | chord):
            raise self._refusal(canvas, _HEADERS)
        if isinstance(canvas, _chain):
            if canvas.tasks:
                self._give_headers(canvas.tasks[0], headers)
            return
        canvas.options["headers"] = {**(canvas.options.get("headers") or {}), **headers}

    def _end(self, canvas: Any) -> Any:
        """The task with which it ends. Raises MemberRefused where that, or a step before it, might not be counted."""
        if isinstance(canvas, group):
            raise self._refusal(canvas, _GROUP)
        if isinstance(canvas, chord):
            return self._end_of_chord(canvas)
        if isinstance(canvas, _chain):
            if not canvas.tasks:
                raise self._refusal(canvas, _EMPTY)
            for link in canvas.tasks[:-1]:
                if isinstance(link, group):  # the header of a chord, whose body is the next link
                    self._check_backend(link)
                else:
                    self._end(link)
            return self._end(canvas.tasks[-1])
        if is_stock(str(canvas.task)):
            raise self._refusal(canvas, _STOCK)
        return canvas

    def _end_of_chord(self, canvas: Any) -> Any:
        self._check_backend(canvas)
        if canvas.options.get("headers"):
            raise self._refusal(canvas, _HEADERS)
        return self._end(canvas.body)

    def _check_backend(self, canvas: Any) -> None:
        if not isinstance(current_app.backend, ChordBackend):
            raise self._refusal(canvas, _BACKEND)

    def _refusal(self, canvas: Any, why: str) -> MemberRefused:
        return MemberRefused(self._batch_id, str(canvas.task), why)
