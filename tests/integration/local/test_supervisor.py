"""Processes that die are started again; what keeps dying ends everything."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from project.local.child import Child
from project.local.errors import ServiceFailed
from project.local.supervisor import Supervisor
from project.local.waiting import wait_until
from tests.servers.processes import family, still_running

SOON = timedelta(seconds=60)


class Scene:
    """A supervisor of one process, and what it said."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.said: list[str] = []
        self.supervisor = Supervisor([], say=self.said.append)

    def run(self, command: str) -> Child:
        child = Child(
            name="job",
            command=command,
            environment={"PATH": os.environ["PATH"]},
            directory=self.directory,
            log=self.directory / "job.log",
        )
        self.supervisor = Supervisor([child], say=self.said.append)
        self.supervisor.start(["job"])
        return child

    def tended_until(self, condition: object) -> bool:
        def tended() -> bool:
            self.supervisor.tend()
            assert callable(condition)
            return bool(condition())

        return wait_until(tended, within=SOON)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A fresh one; what it started is ended."""
    made = Scene(tmp_path)
    yield made
    made.supervisor.stop(grace=timedelta(0))


def test_a_killed_process_is_started_again_and_its_orphans_are_ended(scene: Scene) -> None:
    """A worker's children that outlive it would go on taking jobs beside its successor."""
    child = scene.run("sh -c 'sleep 1000 & wait'")
    assert wait_until(lambda: len(family(child.pid)) == 2, within=SOON)
    first, orphan = family(child.pid)
    os.kill(first, signal.SIGKILL)
    assert scene.tended_until(lambda: scene.said)
    assert wait_until(lambda: not still_running([first, orphan]), within=SOON)
    assert still_running([child.pid]) == []
    assert scene.tended_until(lambda: child.alive and child.pid != first)
    assert scene.said == ["job died with signal 9; it starts again in 0.5 s"]


def test_the_pause_doubles_and_the_fifth_death_ends_it_with_the_reason(scene: Scene) -> None:
    """Restarting for ever hides a mistake; the error carries the log's end."""
    scene.run("sh -c 'echo no such module >&2; exit 3'")
    began = time.monotonic()
    with pytest.raises(ServiceFailed, match=r"died 5 times within a minute \(the last time with code 3\)") as raised:
        scene.tended_until(lambda: False)
    assert time.monotonic() - began > 0.5 + 1 + 2 + 4
    assert [line.rpartition("in ")[2] for line in scene.said] == ["0.5 s", "1 s", "2 s", "4 s"]
    assert "no such module" in raised.value.log_tail
    assert "job.log" in raised.value.advice


def test_stopping_waits_for_what_finishes_its_work(scene: Scene) -> None:
    """A worker ends the job at hand."""
    child = scene.run("sh -c 'trap \"sleep 0.5; exit 0\" TERM; echo ready; while :; do sleep 0.05; done'")
    assert wait_until(lambda: "ready" in child.log_tail(), within=SOON)
    scene.supervisor.stop(grace=SOON)
    assert child.exit_code == 0
    assert scene.said == []


@pytest.mark.parametrize(("grace", "hurried"), [(timedelta(seconds=0.5), False), (timedelta(minutes=5), True)])
def test_stopping_kills_what_does_not_end_in_time(scene: Scene, grace: timedelta, hurried: bool) -> None:
    """Neither a stubborn process nor a second Ctrl-C leaves anything behind."""
    child = scene.run("sh -c 'trap : TERM; echo ready; while :; do sleep 0.05; done'")
    assert wait_until(lambda: "ready" in child.log_tail(), within=SOON)
    pids = family(child.pid)
    scene.supervisor.stop(grace=grace, hurried=lambda: hurried)
    assert child.exit_code == -signal.SIGKILL
    assert wait_until(lambda: not still_running(pids), within=SOON)
    assert scene.said == ["job did not end in time: killed"]


def test_what_was_stopped_stays_stopped(scene: Scene) -> None:
    """`tend` after `stop` must not bring anything back."""
    child = scene.run("sleep 1000")
    scene.supervisor.stop(grace=SOON)
    scene.supervisor.tend()
    assert not child.alive
