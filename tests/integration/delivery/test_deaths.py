"""Who is blamed when a whole worker dies."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from hashlib import sha1
from typing import cast

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
        worker = floor.worker(lease=timedelta(seconds=1), may_end=True)
        eventually(partial(_over, floor, worker), within=timedelta(seconds=60))
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


def test_only_what_had_begun_is_blamed_when_a_whole_worker_dies(floor: Floor) -> None:
    """All of it waited in the worker at first, and more on the list, so nothing else is said when the killer starts."""
    floor.send("jobs.note", "before")
    floor.send("jobs.kill", "parent")
    for number in range(20):
        floor.send("jobs.note", number)
    victim = floor.worker("-c", "1", "--prefetch-multiplier", "8", lease=timedelta(seconds=1), may_end=True)
    eventually(lambda: victim.status == "exited", within=timedelta(seconds=60))
    victim.teardown()
    floor.worker("--queues", "nothing", lease=timedelta(seconds=1))  # whose keeper gives back what was held
    eventually(lambda: floor.held() == 0 and floor.waiting() >= 21, within=timedelta(seconds=60))
    died: list[bytes] = []
    for raw in cast("list[bytes]", floor.client.lrange("jobs", 0, -1)):
        counts = floor.client.hgetall(f"tasks.counts:{sha1(raw, usedforsecurity=False).hexdigest()}")
        if counts and counts[b"died"] != b"0":
            died.append(raw)
    assert [b"jobs.kill" in raw for raw in died] == [True]
    assert floor.waiting() == 21
