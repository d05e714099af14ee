"""`Batch`: many jobs, counted together, with something to do when all have ended.

    with Batch(success=mail_the_report.si(7), death=tell_somebody.si(7), description="report 7") as batch:
        for region in regions:
            batch.add(build_part.si(7, region))

The block is one transaction: the batch, its members and their messages are committed together, or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from celery import uuid
from celery.canvas import Signature
from django.db import connections, transaction

from ..enqueue import rows
from ..enqueue.unique_alone import refuse_unique
from ..errors import MemberRefused
from .batch_members import Member
from .batch_models import Batch as BatchRow
from .batches import batch_close, batch_expect


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a batch is: numbers of members."""

    total: int
    succeeded: int
    dead: int

    @property
    def pending(self) -> int:
        """Members that have not ended."""
        return self.total - self.succeeded - self.dead

    @property
    def is_over(self) -> bool:
        """Whether every member has ended."""
        return self.pending == 0


class Batch:
    """Opened as a context manager; members are added inside it.

    complete: enqueued when every member has ended, whatever the end. success: when none of them is dead. death: when
    the first one dies. Each is a signature of one task, enqueued once.
    """

    def __init__(
        self,
        *,
        complete: Signature[Any] | None = None,
        success: Signature[Any] | None = None,
        death: Signature[Any] | None = None,
        description: str = "",
        parent: Batch | None = None,
    ) -> None:
        self.id = uuid()
        self._members = 0
        self._ends: set[str] = set()
        self._callbacks = {
            name: _frozen(signature)
            for name, signature in (("on_complete", complete), ("on_success", success), ("on_death", death))
        }
        self._description, self._parent = description, parent
        self._atomic = transaction.atomic(using=rows.alias())

    def __enter__(self) -> Self:
        if self._parent is not None:
            self._parent._check_open(f"batch {self.id}")
        self._atomic.__enter__()
        try:
            BatchRow.objects.create(
                id=self.id,
                parent_id=self._parent.id if self._parent else None,
                description=self._description,
                **self._callbacks,
            )
        except BaseException as failure:
            self._atomic.__exit__(type(failure), failure, failure.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            try:
                batch_close(self.id, self._members)
            except BaseException as failure:
                self._atomic.__exit__(type(failure), failure, failure.__traceback__)
                raise
        self._atomic.__exit__(kind, error, trace)
        if kind is None and self._parent is not None:
            self._parent._count()  # now that it can't be rolled back without this

    def add(self, signature: Signature[Any], **options: Any) -> str:
        """Enqueue *signature*, a task, a chain or a chord, as a member; return its task id.

        A chain ends with its last link, a chord with its body. A task that is added twice under one task id is one
        member. Raises MemberRefused outside the block, and for what would not be counted whatever becomes of it: a
        plain Celery task, a group, a job that was enqueued before. Raises UniqueRefused for a unique task: the job
        that stood for it would be no member.
        """
        self._check_open(str(signature.task))
        member = Member(signature, self.id, options)
        if (task_id := member.write(self._ends)) is None:
            return str(member.task_id)
        self._count()
        return task_id

    def nested(self, **callbacks: Any) -> Batch:
        """A batch that is itself a member of this one; to be opened inside it."""
        return Batch(parent=self, **callbacks)

    @staticmethod
    def progress(batch_id: str) -> Progress:
        """How far the batch *batch_id* is. Raises LookupError for none of that id."""
        found = (
            BatchRow.objects.using(rows.alias()).filter(pk=batch_id).values_list("total", "succeeded", "dead").first()
        )
        if found is None:
            raise LookupError(f"there is no batch {batch_id!r}")
        total, succeeded, dead = found
        return Progress(total=total, succeeded=succeeded, dead=dead)

    def _check_open(self, what: str) -> None:
        if not any(block is self._atomic for block in _blocks()):
            raise MemberRefused(self.id, what, "its members are added within its block, which isn't open here")

    def _count(self) -> None:
        """One more. What is added within a savepoint goes with it, so the database counts that."""
        if _blocks()[-1] is self._atomic:
            self._members += 1
        else:
            batch_expect(self.id, 1)


def _blocks() -> list[Any]:
    """The transaction and the savepoints that are open on this thread's connection, the innermost last."""
    return connections[rows.alias()].atomic_blocks


def _frozen(signature: Signature[Any] | None) -> dict[str, Any] | None:
    if signature is None:
        return None
    refuse_unique(signature)
    frozen = signature.clone()
    frozen.freeze()
    return dict(frozen)
