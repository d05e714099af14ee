"""How a test says which row of the table it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from tests.conformance.broker.capabilities import SUBJECTS, capability

Test = TypeVar("Test", bound=Callable[..., Any])


def promised(name: str) -> Callable[[Test], Test]:
    """The test shows that the promise *name* is kept, on every subject that keeps it."""
    keepers = [subject for subject in SUBJECTS if subject not in capability(name).cannot]
    return pytest.mark.parametrize("subject", keepers, indirect=True)


def cannot(name: str, *subjects: str) -> Callable[[Test], Test]:
    """The test shows that on *subjects* happens what the table says in place of the promise *name*."""
    unsaid = set(subjects) - set(capability(name).cannot)
    if unsaid:
        raise ValueError(f"the table doesn't say that {', '.join(sorted(unsaid))} can't {name!r}")
    return pytest.mark.parametrize("subject", subjects, indirect=True)
