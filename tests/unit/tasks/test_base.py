"""ReliableTask: what is refused at the call."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings

from tasks import PayloadRefused, task

SECOND = timedelta(seconds=1)


@task("unit.taking", time_limit=60 * SECOND)
def taking(order_id: int) -> None: ...


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would have been published, with its options."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr("celery.app.task.Task.apply_async", lambda *_, **options: calls.append(options))
    return calls


@override_settings(TASKS={"PAYLOAD_MAX_BYTES": 100})
@pytest.mark.parametrize(
    "call",
    [
        lambda job: job.delay({1, 2}),
        lambda job: job.apply_async(({1, 2},)),
        lambda job: job.apply_async(kwargs={"order_id": {1, 2}}),
        lambda job: job.s({1, 2}),
        lambda job: job.si(order_id={1, 2}),
        lambda job: job.signature(({1, 2},)),
        lambda job: job.signature((), {"order_id": {1, 2}}),
        lambda job: job.delay_on_commit({1, 2}),
        lambda job: job.apply_async_on_commit(({1, 2},)),
    ],
    ids=["delay", "args", "kwargs", "s", "si", "signature", "signature and kwargs", "delay on commit", "on commit"],
)
def test_an_argument_that_would_change_on_its_way_is_refused_at_the_call(
    call: Callable[[Any], Any], sent: list[dict[str, Any]]
) -> None:
    """Wherever the arguments are given, the traceback shows the line that gave them."""
    with pytest.raises(PayloadRefused, match=r"unit\.taking: argument (0|'order_id') is a builtins\.set"):
        call(taking)

    assert sent == []
