"""7. A job that takes the whole worker with it, again and again; and deploys."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tasks import JobStatus, status
from tasks.failure.letter_models import DeadLetter
from tests.e2e.letters import dying
from tests.e2e.letters.conftest import Stage, broker_empty
from tests.e2e.letters.dying import gone_through

pytestmark = pytest.mark.django_db(transaction=True)

# A stopping worker gives its jobs a second instead of half a minute.
IMPATIENT = ("--", ".soft_shutdown_timeout=1")


@pytest.fixture(params=["redis+lease", "redis"])
def stage(
    request: pytest.FixtureRequest, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """A worker of this test's own, on a transport that counts deaths and on one that doesn't.

    Either delivers again four seconds after a worker was killed: a second later than `kill_the_worker` may run
    for, and more. What is delivered before might still be running, and counts for no death.
    """
    broker_empty()  # a worker that is killed at a test's end leaves what it held
    url = f"{request.param}://{environment['BROKER_URL'].partition('://')[2]}"
    stage = Stage(
        tmp_path_factory.mktemp("killed"), {**environment, "BROKER_URL": url, "VISIBILITY_TIMEOUT": "4"}, *IMPATIENT
    )
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
    assert stage.attempts(job)[-1] == ("failed", "WorkersLost")
    assert status(job) is JobStatus.DEAD
    assert stage.worker.alive


@pytest.mark.parametrize("stage", ["redis+lease"], indirect=True)
def test_a_deploys_victim_is_given_back_as_often_as_there_are_deploys(stage: Stage) -> None:
    """More often than a job may die. SIGQUIT tells a worker not to wait for its jobs."""
    diary, gate = stage.diary("deploys"), stage.diary("gate")
    job = dying.hold.enqueue(diary, gate)
    for deploy in range(1, 5):
        stage.until(partial(has_begun, diary, times=deploy), f"deploy {deploy}")
        os.kill(stage.worker.pid, signal.SIGQUIT)
        stage.until(lambda: not stage.worker.alive, "the worker did not stop")
        stage.worker.start()
    Path(gate).touch()
    stage.until(lambda: status(job) is JobStatus.SUCCEEDED)

    assert gone_through(diary)[-1] == "ended"
    assert stage.attempts(job) == []
    assert not DeadLetter.objects.exists()


def has_begun(diary: str, *, times: int) -> bool:
    """Whether the job of `hold` has begun so often."""
    return gone_through(diary).count("began") == times
