"""What a task's `reconcile` hook answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Settled:
    """The effect has happened, and this is its result."""

    result: Any = None
