"""In threads and solo all runs in one process: what Celery's main process sees is kept there as well."""

from __future__ import annotations

from datetime import timedelta

import pytest
from celery import current_app
from django.utils import timezone

from tests.e2e.letters import dying
from tests.e2e.letters.conftest import Stage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_each_death_leaves_its_letter(
    pool: str, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Time limits aren't enforced there, and a job that kills its process kills the worker."""
    stage = Stage(tmp_path_factory.mktemp(pool), environment, "--pool", pool)
    stage.worker.start()
    stage.relay.start()
    try:
        late = timezone.now() - timedelta(seconds=1)
        deaths = {
            "permanent": dying.fail_permanently.enqueue(stage.diary("permanent")),
            "exhausted": dying.fail_again_and_again.enqueue(),
            "rejected": dying.reject.enqueue(),
            "expired": dying.be_late.enqueue(stage.diary("late"), expires=late),
            "wrong_arguments": str(current_app.send_task("dying.unforeseen", args=[1, 2, 3], queue="default").id),
            "unknown_task": str(current_app.send_task("dying.of_tomorrow", queue="default").id),
        }
        for reason, job in deaths.items():
            assert stage.letter(job).reason == reason
        stage.until(stage.nothing_held, "a message was never acknowledged")
    finally:
        stage.worker.kill()
        stage.relay.kill()
