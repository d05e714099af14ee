"""Threads, solo and gevent run everything in one process, and wait for the server without an event loop."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from subprocess import TimeoutExpired

import pytest

from tasks.testing.waiting import eventually
from tasks.testing.worker_process import WorkerProcess
from tests.integration.delivery.floor import Floor

MANY = 40
"""Jobs of a second each: more than end before somebody has asked the worker to stop, however busy the machine is."""


@pytest.mark.parametrize("pool", ["threads", "solo", "gevent"])
def test_each_job_runs_once_also_when_it_takes_longer_than_the_lease(floor: Floor, pool: str) -> None:
    """A solo worker reads nothing while it runs a job: the lease is renewed by a thread."""
    for options in (["--prefetch-multiplier", "4"], []):
        floor.worker("--pool", pool, *options, lease=timedelta(seconds=2))
    for number in range(40):
        floor.send("jobs.note", number, 3 if number == 0 else 0)
    diary = floor.ended(*map(str, range(40)))
    assert set(diary.values()) == {1}
    eventually(lambda: floor.waiting() == floor.held() == 0)


@pytest.mark.parametrize("how", ["SIGTERM", "SIGQUIT"])
@pytest.mark.parametrize("pool", ["threads", "solo", "gevent"])
def test_what_a_stopping_worker_does_not_end_goes_back(floor: Floor, pool: str, how: str) -> None:
    """What it has begun it ends first. On SIGQUIT gevent cuts it short; the others can't."""
    worker = floor.worker("--pool", pool, "--prefetch-multiplier", "4")
    for number in range(MANY):
        floor.send("jobs.note", number, 1)
    eventually(lambda: floor.diary["began 0"])
    assert _stopped(worker, how) >= 0, "it ended by a signal, as a process does that crashes"
    ended = sum(floor.diary[f"ended {number}"] for number in range(MANY))
    assert ended < MANY
    assert ended >= 1 or (pool, how) == ("gevent", "SIGQUIT")
    assert floor.waiting() == MANY - ended
    assert not floor.client.keys("tasks.held:*")
    assert all(floor.client.hget(key, "died") == b"0" for key in floor.client.keys("tasks.counts:*"))


def _stopped(worker: WorkerProcess, how: str) -> int:
    """Its exit code. Asked again should it not end, as a person would do: under gevent that is seldom needed."""
    for _ in range(3):
        worker.kill(how)
        with suppress(TimeoutExpired):
            return worker.wait(timedelta(seconds=20))
    raise AssertionError(f"it doesn't end:\n{worker.recent_logs()}")


def test_a_job_in_a_thread_does_not_keep_the_others_waiting_for_room(floor: Floor) -> None:
    """The main thread sleeps at the server's door; who ends a job wakes it."""
    floor.worker("--pool", "threads")
    for number in range(100):
        floor.send("jobs.note", number, 0.02)
    # If nobody woke it, each second would bring two.
    floor.ended(*map(str, range(100)), within=timedelta(seconds=25))


def test_what_a_solo_worker_has_done_is_not_done_again_when_it_is_killed(floor: Floor) -> None:
    """It has claimed four at once; each is acknowledged when it is done, not when all are."""
    victim = floor.worker("--pool", "solo", "--prefetch-multiplier", "4", lease=timedelta(seconds=1))
    for number in range(4):
        floor.send("jobs.note", number, 60 if number == 2 else 1)
    eventually(lambda: floor.diary["began 2"])
    victim.kill()
    floor.worker(lease=timedelta(seconds=1))
    diary = floor.ended("0", "1", "3")
    assert diary["began 0"] == 1
    assert diary["began 3"] == 1


@pytest.mark.parametrize("pool", ["threads", "solo", "gevent"])
def test_a_job_that_computes_for_longer_than_the_lease_runs_once(floor: Floor, pool: str) -> None:
    """Under gevent nothing else gets a turn then, but for the thread that renews."""
    for _ in range(2):
        floor.worker("--pool", pool, lease=timedelta(seconds=2))
    floor.send("jobs.compute", "it", 4)
    assert floor.ended("it") == {"began it": 1, "ended it": 1}
    eventually(lambda: floor.held() == 0)
