"""The toolkit's tables in Django's admin, to look at; a unique lock can be released, and a circuit be closed."""

from __future__ import annotations

from .circuits import CircuitAdmin
from .ledger import LedgerEntryAdmin
from .outbox import OutboxMessageAdmin
from .unique_locks import UniqueLockAdmin

__all__ = ["CircuitAdmin", "LedgerEntryAdmin", "OutboxMessageAdmin", "UniqueLockAdmin"]
