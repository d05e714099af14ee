"""Who is blamed when a whole worker dies."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from tasks.testing.waiting import eventually
from tasks.testing.worker_process import WorkerProcess
from tests.integration.delivery.floor import Floor


def _over(floor: Floor, worker: WorkerProcess) -> bool:
    return worker.status == "exited" or bool(floor.intake())


def test_whoever_ran_beside_a_workers_killer_gets_through(floor: Floor) -> None:
    """Both had started when the worker died, each time. The last time a message is tried, it runs by itself."""
    floor.send("jobs.kill", "parent")
    floor.send("jobs.note", "neighbour", 2)
    floor.send("jobs.note", "third")
    for _ in range(3):
        worker = floor.worker(lease=timedelta(seconds=1))
        eventually(partial(_over, floor, worker), within=timedelta(seconds=20))
        if floor.intake():
            break
        worker.teardown()  # its children, which it has left behind
    else:
        floor.worker(lease=timedelta(seconds=1))
    floor.ended("neighbour", "third")
    (entry,) = eventually(floor.intake)
    assert b"jobs.kill" in entry.raw
    assert entry.died == 3
    assert [floor.diary[f"began parent {deaths}"] for deaths in range(4)] == [1, 1, 1, 0]
