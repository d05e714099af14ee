"""The toolkit's tables in Django's admin, to look at; locks are released, circuits closed, letters redriven."""

from __future__ import annotations

from .circuits import CircuitAdmin
from .ledger import LedgerEntryAdmin
from .letters import DeadLetterAdmin
from .outbox import OutboxMessageAdmin
from .unique_locks import UniqueLockAdmin

__all__ = ["CircuitAdmin", "DeadLetterAdmin", "LedgerEntryAdmin", "OutboxMessageAdmin", "UniqueLockAdmin"]
