"""Looking for garbage less often while a process starts.

What is imported stays. Looking through it after every few hundred objects is a tenth of the time that a start takes.
"""

from __future__ import annotations

import gc
from typing import Final

_USUAL: Final = gc.get_threshold()
_RARELY: Final = 50_000
"""New objects, between two looks at those."""


def look_rarely() -> None:
    """Before anything large is imported."""
    gc.set_threshold(_RARELY)


def look_as_usual() -> None:
    """When all is there. It is never looked at again, so a forked child doesn't copy it for that."""
    gc.freeze()
    gc.set_threshold(*_USUAL)
