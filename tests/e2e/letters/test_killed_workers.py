"""7. A job that takes the whole worker with it, again and again, on a broker that doesn't count; and deploys."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks import JobStatus, status
from tasks.failure.letter_models import DeadLetter
from tests.e2e.letters import dying
from tests.e2e.letters.conftest import Stage
from tests.e2e.letters.dying import gone_through

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stage(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A worker of this test's own, whose broker delivers again after two seconds."""
    stage = Stage(tmp_path_factory.mktemp("killed"), {**environment, "VISIBILITY_TIMEOUT": "2"})
    stage.worker.start()
    stage.relay.start()
    try:
        yield stage
    finally:
        stage.worker.kill()
        stage.relay.kill()


def test_a_job_that_kills_its_worker_does_so_three_times_and_no_more(stage: Stage) -> None:
    """Whoever watches over workers starts each anew; the fourth lives."""
    diary = stage.diary("worker")
    job = dying.kill_the_worker.enqueue(diary)
    for _ in range(3):
        stage.until(lambda: not stage.worker.alive, "the worker was not killed")
        stage.worker.start()
    letter = stage.letter(job)

    assert (letter.reason, letter.error_type) == ("worker_lost", "WorkersLost")
    assert len(gone_through(diary)) == 3
    assert stage.attempts(job) == [("died", "WorkerLost")] * 2 + [("failed", "WorkersLost")]
    assert stage.worker.alive


def test_a_deploys_victim_is_given_back_as_often_as_there_are_deploys(stage: Stage) -> None:
    """More often than a job may die. SIGQUIT is what a worker gets that must not wait for its jobs."""
    diary, gate = stage.diary("deploys"), stage.diary("gate")
    job = dying.hold.enqueue(diary, gate)
    for deploy in range(1, 5):
        stage.until(lambda so_far=deploy: gone_through(diary).count("began") == so_far, f"deploy {deploy}")
        os.kill(stage.worker.pid, signal.SIGQUIT)
        stage.until(lambda: not stage.worker.alive, "the worker did not stop")
        stage.worker.start()
    Path(gate).touch()
    stage.until(lambda: status(job) is JobStatus.SUCCEEDED)

    assert gone_through(diary)[-1] == "ended"
    assert stage.attempts(job) == []
    assert not DeadLetter.objects.exists()
