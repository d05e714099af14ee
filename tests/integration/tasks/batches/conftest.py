"""Bodies succeed unless a test says otherwise, and nobody waits."""

from __future__ import annotations

from tests.integration.tasks.redrive.conftest import _calm

__all__ = ["_calm"]
