"""Real workers under leases: what dies runs again soon, what is slow runs once, what is given back is given back."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from tasks.testing.waiting import eventually
from tests.integration.delivery.floor import Floor


def test_each_job_runs_once_and_leaves_nothing_on_the_server(floor: Floor) -> None:
    """A drain under load is the everyday case."""
    floor.worker("--prefetch-multiplier", "4")
    for number in range(200):
        floor.send("jobs.note", number, priority=number % 10)
    diary = floor.ended(*map(str, range(200)))
    assert set(diary.values()) == {1}
    eventually(lambda: floor.held() == 0)
    assert not floor.client.keys("tasks.counts:*")


def test_a_killed_workers_jobs_run_again_within_a_third_more_than_the_lease(floor: Floor) -> None:
    """Nobody waits for an hour, and nobody sweeps under a lock."""
    lease = timedelta(seconds=8)  # of which the third more is longer than a busy machine is late
    victim = floor.worker(lease=lease)
    for name in "abcd":
        floor.send("jobs.note", name, 60 if name in "ab" else 0)
    eventually(lambda: floor.diary["began a"] and floor.diary["began b"])
    floor.worker(lease=lease)
    died_at = time.monotonic()
    victim.kill()
    eventually(lambda: floor.diary["began a"] == floor.diary["began b"] == 2, within=timedelta(seconds=30))
    assert time.monotonic() - died_at <= 1.3 * lease.total_seconds()
    counts = [floor.client.hgetall(key) for key in floor.client.keys("tasks.counts:*")]
    assert [one[b"died"] for one in counts] == [b"1", b"1"]


def test_what_takes_longer_than_the_lease_runs_once_running_prefetched_or_waiting_for_its_time(floor: Floor) -> None:
    """Stock Celery runs each of the three again when its visibility timeout is over."""
    for options in (["--prefetch-multiplier", "4"], []):
        floor.worker(*options, lease=timedelta(seconds=2))
    names = [str(number) for number in range(6)]
    for name in names:
        floor.send("jobs.note", name, 3)
    floor.send("jobs.note", "later", countdown=4)
    diary = floor.ended(*names, "later")
    assert set(diary.values()) == {1}


@pytest.mark.parametrize("how", ["exit", "child"])
def test_a_job_that_kills_its_process_goes_to_the_intake_and_takes_nobody_with_it(floor: Floor, how: str) -> None:
    """Stock Celery runs it for ever, and first. Its neighbours are innocent: they were only prefetched."""
    floor.worker("--prefetch-multiplier", "4")
    floor.send("jobs.kill", how)
    for number in range(12):
        floor.send("jobs.note", number)
    floor.ended(*map(str, range(12)))
    (entry,) = eventually(floor.intake)
    diary = floor.diary
    assert (entry.reason, entry.died, entry.delivered, entry.given_back) == ("died_too_often", 3, 3, 0)
    assert b"jobs.kill" in entry.raw
    assert [diary[f"began {how} {deaths}"] for deaths in range(4)] == [1, 1, 1, 0]
    assert all(diary[f"began {number}"] == 1 for number in range(12))


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_job_for_which_there_is_no_memory_ends_no_worker_and_goes_to_the_intake(floor: Floor, pool: str) -> None:
    """Celery ends the worker for it, and then whichever takes the job next."""
    worker = floor.worker("--pool", pool)
    floor.send("jobs.exhaust")
    floor.send("jobs.note", "after")
    floor.ended("after")
    (entry,) = eventually(floor.intake, because=worker.recent_logs)
    assert (entry.reason, entry.died, floor.diary["began exhaust"]) == ("died_too_often", 3, 3)
    assert worker.status == "running"


@pytest.mark.parametrize("how", ["SIGTERM", "SIGQUIT"])
def test_a_stopping_worker_gives_everything_back_at_once_and_nothing_has_died(floor: Floor, how: str) -> None:
    """A deploy stops workers all day; that is no death, and nobody waits for a lease."""
    worker = floor.worker("--prefetch-multiplier", "4")
    for number in range(8):
        floor.send("jobs.note", number, 1)
    eventually(lambda: floor.diary["began 0"] and floor.diary["began 1"])
    worker.kill(how)
    worker.wait()
    finished = sum(floor.diary[f"ended {number}"] for number in range(8))
    assert floor.waiting() == 8 - finished
    assert not floor.client.keys("tasks.held:*")
    assert not floor.client.zcard("tasks.owners")
    assert all(floor.client.hget(key, "died") == b"0" for key in floor.client.keys("tasks.counts:*"))
    second = floor.worker()
    diary = floor.ended(*map(str, range(8)))
    assert all(diary[f"ended {number}"] == 1 for number in range(8))
    assert second.status == "running"


BAD = {
    "no JSON": b"\xff\xfe garbage",
    "no object": b"[1, 2]",
    "nested without an end": b"[" * 100_000,
    "no properties": b'{"body": "x"}',
    "no base64": b'{"body": "abc", "headers": {}, "properties": {"body_encoding": "base64", "delivery_tag": "1"}}',
    "a task without an id": b'{"body": "W10=", "headers": {"task": "jobs.note"}, "properties": {"delivery_tag": "1"}}',
    "a body that is no JSON": b'{"body": "[1", "content-type": "application/json", "content-encoding": "utf-8", '
    b'"headers": {"task": "jobs.note", "id": "1"}, "properties": {"delivery_tag": "1"}}',
    "a body that is no triple": b'{"body": "[1]", "content-type": "application/json", "content-encoding": "utf-8", '
    b'"headers": {"task": "jobs.note", "id": "1"}, "properties": {"delivery_tag": "1"}}',
}


def test_bytes_that_no_worker_can_be_given_go_to_the_intake_as_they_are(floor: Floor) -> None:
    """One such LPUSH ends a stock worker's main process, or makes it reconnect for ever."""
    worker = floor.worker()
    for raw in BAD.values():
        floor.client.lpush("jobs", raw)
    floor.send("jobs.note", "after")
    floor.ended("after")
    eventually(lambda: len(floor.intake()) == len(BAD), because=lambda: str(floor.intake()) + worker.recent_logs())
    assert {entry.raw for entry in floor.intake()} == set(BAD.values())
    assert {entry.queue for entry in floor.intake()} == {"jobs"}
    eventually(lambda: floor.waiting() == floor.held() == 0, because=worker.recent_logs)
    assert worker.status == "running"


def test_cut_connections_lose_nothing_and_double_nothing(floor: Floor) -> None:
    """The worker is alive, so there is no reason for either."""
    floor.worker("--prefetch-multiplier", "4")
    for number in range(150):
        floor.send("jobs.note", number, 0.02)

    ended_at_cut = 0

    def cut() -> bool:
        nonlocal ended_at_cut
        ended = sum(count for line, count in floor.diary.items() if line.startswith("ended"))
        if ended >= ended_at_cut + 15:
            ended_at_cut = ended
            floor.cut_connections()
        return floor.diary["ended 149"] > 0

    eventually(cut, within=timedelta(seconds=60), because=floor.workers[0].recent_logs)
    diary = floor.ended(*map(str, range(150)))
    assert set(diary.values()) == {1}


def test_a_worker_that_lost_its_lease_has_room_again_for_as_much_as_before(floor: Floor) -> None:
    """What it drops, as it is somebody else's now, must not count as in hand."""
    frozen = floor.worker(lease=timedelta(seconds=1))
    floor.worker("--queues", "nothing", lease=timedelta(seconds=1))  # whose keeper gives back what was held
    for number in range(2):
        floor.send("jobs.note", f"later {number}", countdown=6)
    eventually(lambda: floor.held() == 2)
    frozen.kill("SIGSTOP")
    eventually(lambda: floor.waiting() == 2)
    frozen.kill("SIGCONT")
    floor.ended("later 0", "later 1")
    eventually(lambda: floor.held() == 0)
    floor.send("jobs.note", "after")
    assert set(floor.ended("after").values()) == {1}


def test_a_stock_worker_finishes_the_queue_of_a_killed_one(floor: Floor) -> None:
    """The lists and the bytes are kombu's: going back is a change of the URL."""
    victim = floor.worker("--prefetch-multiplier", "2")
    for number in range(20):
        floor.send("jobs.note", number, 0.2)
    eventually(lambda: sum(floor.diary.values()) >= 4)
    victim.kill()
    floor.worker(url=floor.url.replace("+lease", ""))
    heir = floor.worker("--queues", "nothing", "-c", "1")  # only its keeper is needed, to give back what was held
    floor.ended(*map(str, range(20)))
    assert heir.status == "running"
