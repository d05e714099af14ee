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
from celery.canvas import Signature, _chain
from django.db import transaction

from ..enqueue import rows
from ..enqueue.outbox import enqueue
from ..enqueue.unique_alone import refuse_unique
from .batch_models import Batch as BatchRow
from .batches import HEADER, batch_close


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
        self.total = 0
        self._callbacks = {
            name: _frozen(signature)
            for name, signature in (("on_complete", complete), ("on_success", success), ("on_death", death))
        }
        self._description, self._parent = description, parent
        self._atomic = transaction.atomic(using=rows.alias())

    def __enter__(self) -> Self:
        self._atomic.__enter__()
        if self._parent is not None:
            self._parent.total += 1
        BatchRow.objects.create(
            id=self.id,
            parent_id=self._parent.id if self._parent else None,
            description=self._description,
            **self._callbacks,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            try:
                batch_close(self.id, self.total)
            except BaseException as failure:
                self._atomic.__exit__(type(failure), failure, failure.__traceback__)
                raise
        self._atomic.__exit__(kind, error, trace)

    def add(self, signature: Signature[Any], **options: Any) -> str:
        """Enqueue *signature*, a task or a chain, as a member; return its task id. A chain ends with its last link.

        Raises UniqueRefused for a unique task: the job that stood for it would be no member.
        """
        refuse_unique(signature)
        links = [*signature.tasks] if isinstance(signature, _chain) else [signature]
        member = links[-1].clone()
        member.options["headers"] = {**(member.options.get("headers") or {}), HEADER: self.id}
        self.total += 1
        whole = _chain(*links[:-1], member) if len(links) > 1 else member
        return enqueue(whole, **options)

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


def _frozen(signature: Signature[Any] | None) -> dict[str, Any] | None:
    if signature is None:
        return None
    refuse_unique(signature)
    frozen = signature.clone()
    frozen.freeze()
    return dict(frozen)
