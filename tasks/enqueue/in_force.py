"""The recorder in force, for whoever may not import the models: an app is made before Django is ready."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .recording import Recorder

RECORDER: Final[ContextVar[Recorder | None]] = ContextVar("tasks_recorder", default=None)


def current_recorder() -> Recorder | None:
    """The recorder in force, or None when messages go straight to the broker."""
    return RECORDER.get()
