"""What the registrar writes is written once, though the answer to its commit may be lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from tasks.execution import registrar as module
from tasks.execution.registrar import Registrar

pytestmark = pytest.mark.django_db(transaction=True)

WITHIN = timedelta(seconds=30)


@pytest.mark.parametrize("is_committed", [True, False])
def test_a_commit_whose_answer_is_lost_is_looked_at_before_it_is_repeated(
    is_committed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child's death is counted by what is written: twice would kill the job after half of its deaths."""
    commit: Any = BaseDatabaseWrapper._commit  # type: ignore[attr-defined]
    lost = [OperationalError("server closed the connection unexpectedly")]

    def lose_answer(wrapper: Any) -> Any:
        if not lost:
            return commit(wrapper)
        (commit if is_committed else BaseDatabaseWrapper._rollback)(wrapper)  # type: ignore[attr-defined]
        raise lost.pop()

    monkeypatch.setattr(BaseDatabaseWrapper, "_commit", lose_answer)
    monkeypatch.setattr(module, "FIRST_PAUSE", timedelta(0))
    written: list[Any] = []
    calls: list[int] = []

    def write() -> str:
        calls.append(1)
        return Group.objects.create(name=f"try {len(calls)}").name

    registrar = Registrar()
    registrar.put("a death", write, written.append)
    assert registrar.flush(WITHIN)

    expected = "try 1" if is_committed else "try 2"
    assert list(Group.objects.values_list("name", flat=True)) == [expected]
    assert written == [expected]
