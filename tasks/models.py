"""Gathers the models that each room owns, where Django looks for them."""

from __future__ import annotations

from .enqueue.models import OutboxMessage
from .enqueue.unique_models import UniqueLock
from .execution.batch_models import Batch, BatchMember
from .execution.models import LedgerEntry
from .failure.circuit_models import Circuit
from .failure.letter_models import DeadLetter, JobAttempt, Redrive

__all__ = [
    "Batch",
    "BatchMember",
    "Circuit",
    "DeadLetter",
    "JobAttempt",
    "LedgerEntry",
    "OutboxMessage",
    "Redrive",
    "UniqueLock",
]
