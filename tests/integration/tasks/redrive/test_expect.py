"""`tasks.testing.dead_letters.expect`: it finds what is there, and fails with what is there instead."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tasks.execution.redrive import redrive
from tasks.testing import dead_letters
from tests.integration.tasks.redrive import dying
from tests.integration.tasks.redrive.dying import dead

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = timedelta(0)


def test_it_returns_the_letters_that_are_meant() -> None:
    """By everything that a test knows of them."""
    first, second = dead(dying.plain, 1), dead(dying.hooked, 2)

    assert dead_letters.expect(task="redrive.plain", reason="permanent", error="Permanent") == [first]
    assert dead_letters.expect(count=2) == [first, second]
    redrive(first, by="ada")
    assert dead_letters.expect() == [second]
    assert dead_letters.expect(count=2, state="any") == [first, second]
    assert dead_letters.expect(count=0, task="redrive.plain") == []


def test_it_fails_with_what_there_is_when_there_are_more_or_fewer() -> None:
    """Whoever reads the failure sees what died instead."""
    with pytest.raises(AssertionError, match="there is no dead letter"):
        dead_letters.expect(within=AT_ONCE)
    letter = dead(dying.plain, 1)
    with pytest.raises(AssertionError, match=f"redrive.plain {letter.task_id}: open, permanent: Permanent: no"):
        dead_letters.expect(task="redrive.hooked", within=AT_ONCE)
    with pytest.raises(AssertionError, match="1 dead letters of that kind, not 0"):
        dead_letters.expect(count=0)
