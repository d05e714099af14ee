"""What became of an effect: by the error that ended its body, by a `reconcile` hook, or by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from celery.exceptions import SoftTimeLimitExceeded

from ..errors import OutcomeUnknown

# What cuts a body off in the middle of its call. Any other error says that the effect has not happened.
CUT_OFF: Final = (SoftTimeLimitExceeded, MemoryError, OutcomeUnknown)


@dataclass(frozen=True, slots=True)
class Settled:
    """The effect has happened, and this is its result."""

    result: Any = None
