"""An outage upstream, in a real worker: nothing dies of it, and nobody else notices."""

from __future__ import annotations

import pytest
from django.db.models import Count

from project.local.child import Child
from project.local.waiting import wait_until
from tasks.enqueue.models import OutboxMessage
from tasks.failure.circuit_models import Circuit
from tests.e2e.effects import conftest
from tests.e2e.effects.conftest import WITHIN, Diary
from tests.e2e.failure import sample_upstream as sample

pytestmark = pytest.mark.timeout(240)

JOBS = 300
OTHERS = 50

diary = conftest.diary
worker = conftest.worker


@pytest.fixture(autouse=True)
def _samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conftest, "SAMPLES", f"{conftest.SAMPLES},{sample.__name__}")


def states(name: str) -> dict[str, int]:
    found = OutboxMessage.objects.filter(name=name).values_list("state").annotate(Count("pk"))
    return dict(found)


@pytest.mark.usefixtures("_samples")
def test_an_outage_upstream_fails_no_job_and_holds_up_no_other_task(worker: Child, diary: Diary) -> None:
    """Three hundred jobs wait in the outbox while it lasts, other tasks of their queue flow, and all succeed after."""
    sample.outage(diary.name).touch()
    sample.call_upstream.enqueue_many({"diary": diary.name, "number": number} for number in range(JOBS))

    assert wait_until(lambda: Circuit.objects.filter(state="open").exists(), within=WITHIN), worker.log_tail(40)
    sample.mind_own_business.enqueue_many({"diary": diary.name, "number": number} for number in range(OTHERS))
    assert wait_until(lambda: len(diary.lines) == OTHERS, within=WITHIN), worker.log_tail(40)
    assert wait_until(lambda: Circuit.objects.get().pauses >= 3, within=WITHIN), worker.log_tail(40)
    held = states("sample.call_upstream")
    assert sum(held.values()) == JOBS
    assert held.keys() <= {"scheduled", "queued", "sent", "started"}
    tried = len((diary.path.parent / f"{diary.path.name}.failures").read_text().splitlines())

    sample.outage(diary.name).unlink()
    assert wait_until(lambda: states("sample.call_upstream") == {"succeeded": JOBS}, within=WITHIN), (
        states("sample.call_upstream"),
        worker.log_tail(40),
    )
    assert diary.lines == sorted(
        [f"called {number}" for number in range(JOBS)] + [f"own {number}" for number in range(OTHERS)]
    )
    assert Circuit.objects.get().state == "closed"
    assert tried < 5 * JOBS  # each would have been tried six times, and died
