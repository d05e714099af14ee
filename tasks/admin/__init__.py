"""The toolkit's tables in Django's admin, where a person sees what there is, and can release a unique lock."""

from __future__ import annotations

from .ledger import LedgerEntryAdmin
from .outbox import OutboxMessageAdmin
from .unique_locks import UniqueLockAdmin

__all__ = ["LedgerEntryAdmin", "OutboxMessageAdmin", "UniqueLockAdmin"]
