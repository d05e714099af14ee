"""A leased message is taken up without Celery's detours: what they were for still works, on every pool."""

from __future__ import annotations

import select
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha1
from typing import Any, cast
from uuid import uuid4

import pytest

from tasks.delivery.names import COUNTED, COUNTS
from tasks.delivery.pool_pipes import AT_ONCE
from tasks.testing.waiting import eventually
from tests.integration.delivery.floor import Floor
from tests.integration.delivery.publishing import app_for

POOLS = pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
MINUTE = timedelta(minutes=1)


@POOLS
def test_an_idle_worker_notices_each_push_by_itself(floor: Floor, pool: str) -> None:
    """It is told of them. If it came only to look, every few seconds, it wouldn't get through these in a minute."""
    floor.worker("--pool", pool, "--prefetch-multiplier", "4")
    names = [str(number) for number in range(30)]

    sent: list[str] = []

    def one_after_the_other() -> bool:
        if sent and not (floor.diary[f"ended {sent[-1]}"] and floor.held() == 0):
            return False
        if sent == names:
            return True
        sent.append(names[len(sent)])
        floor.send("jobs.note", sent[-1])
        return False

    eventually(one_after_the_other, within=MINUTE, because=lambda: floor.state(*names))
    assert set(floor.diary.values()) == {1}


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_the_server_knows_of_each_job_whether_it_has_started(floor: Floor, pool: str) -> None:
    """Of many that came together, too: whose start it hasn't heard of may kill workers for ever."""
    for number in range(60):
        floor.send("jobs.note", f"short {number}")
    for number in range(5):
        floor.send("jobs.note", f"long {number}", 60)
    floor.worker("--pool", pool, "--prefetch-multiplier", "4")
    eventually(lambda: floor.diary["began long 1"], within=MINUTE, because=floor.state)

    def counts() -> tuple[int, int]:
        return floor.held(), sum(len(floor.client.smembers(key)) for key in floor.client.keys("tasks.waiting:*"))

    eventually(lambda: counts() == (5, 3), within=MINUTE, because=lambda: str(counts()))


@pytest.mark.parametrize("options", [(), ("--max-tasks-per-child", "3")])
def test_jobs_and_errors_of_any_length_cross_the_pipes(floor: Floor, options: tuple[str, ...]) -> None:
    """Short ones are written in one piece and read several at once; long ones come in parts, and block a pipe."""
    floor.worker("--pool", "prefork", "--prefetch-multiplier", "4", *options)
    lengths = [0, 100, *range(select.PIPE_BUF - 1200, select.PIPE_BUF + 100, 50), 2 * AT_ONCE, 300_000]
    names = [f"{'failing' if failing else 'well'} {length} {length}" for length in lengths for failing in (True, False)]
    for length in lengths:
        for failing in (True, False):
            floor.send("jobs.weigh", f"{'failing' if failing else 'well'} {length}", "x" * length, failing)
    floor.ended(*names, within=MINUTE)
    eventually(lambda: floor.waiting() == floor.held() == 0, within=MINUTE)
    assert set(floor.diary.values()) == {1}


@POOLS
def test_what_is_acknowledged_early_is_not_run_again(floor: Floor, pool: str) -> None:
    """The server hears of it while the job runs, so nobody gives it back."""
    victim = floor.worker("--pool", pool, "--prefetch-multiplier", "4", lease=timedelta(seconds=1))
    floor.send("jobs.note_early", "early", 60)
    eventually(lambda: floor.diary["began early"], within=MINUTE)
    eventually(lambda: floor.held() == 0, within=MINUTE)
    victim.kill()
    floor.worker(lease=timedelta(seconds=1))
    eventually(lambda: not floor.client.zcard("tasks.owners.expired"), within=MINUTE)
    floor.send("jobs.note", "after")
    floor.ended("after", within=MINUTE)
    assert floor.diary["began early"] == 1


@POOLS
def test_a_revoked_job_is_not_run(floor: Floor, pool: str) -> None:
    """Also one that has been claimed already."""
    floor.worker("--pool", pool)
    control = app_for(floor.url).control
    eventually(lambda: control.revoke("unwanted", reply=True, timeout=1), within=MINUTE)
    floor.send("jobs.note", "unwanted", task_id="unwanted")
    floor.send("jobs.note", "wanted")
    floor.ended("wanted", within=MINUTE)
    eventually(lambda: floor.waiting() == floor.held() == 0, within=MINUTE)
    assert not floor.diary["began unwanted"]


@POOLS
def test_nothing_is_kept_of_a_job_that_expired_before_it_started(floor: Floor, pool: str) -> None:
    """The server had noted that it waits; a worker lives for weeks, and such notes would come together."""
    floor.worker("--pool", pool, "--prefetch-multiplier", "4")
    for number in range(6):
        floor.send("jobs.note", f"late {number}", expires=datetime.now(UTC) - MINUTE)
    floor.send("jobs.note", "wanted")
    floor.ended("wanted", within=MINUTE)
    eventually(lambda: floor.waiting() == floor.held() == 0, within=MINUTE)
    eventually(lambda: not floor.client.keys("tasks.waiting:*"), within=MINUTE)
    assert not floor.diary["began late 0"]


@POOLS
def test_a_rate_limited_job_waits_and_the_others_dont(floor: Floor, pool: str) -> None:
    """It is in hand and takes up room, which is no reason to ask for nothing else."""
    floor.worker("--pool", pool, "--prefetch-multiplier", "4")
    for number in range(4):  # of eight; of four with solo, whose one slot is kept free by the last
        floor.send("jobs.note_seldom", f"seldom {number}")
        if pool == "solo" and number == 2:
            break
    names = [str(number) for number in range(50)]
    for name in names:
        floor.send("jobs.note", name)
    floor.ended("seldom 0", *names, within=MINUTE)
    assert not floor.diary["began seldom 1"]
    assert all(floor.diary[f"began {name}"] == 1 for name in names)


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_what_waits_for_its_rate_before_it_runs_by_itself_keeps_nobody_waiting(floor: Floor, pool: str) -> None:
    """Its workers have died of it so often that the next time is the last one, which may be in an hour."""
    floor.send("jobs.note_seldom", "seldom 0")
    floor.send("jobs.note_seldom", "seldom 1")
    raw = cast("list[bytes]", floor.client.lrange("jobs", 0, 0))[0]
    killed: dict[Any, Any] = {"delivered": 2, "started": 2, "died": 2, "given_back": 0}
    floor.client.hset(COUNTS + sha1(raw, usedforsecurity=False).hexdigest(), mapping=killed)
    floor.client.set(COUNTED, 1)
    floor.worker("--pool", pool)
    for number in range(3):
        floor.send("jobs.note", number)
    floor.ended("seldom 0", "0", "1", "2")
    assert not floor.diary["began seldom 1"]


@POOLS
def test_what_kombus_json_makes_of_arguments_reaches_the_job(floor: Floor, pool: str) -> None:
    """The pool gets the body as it was decoded, so it has to cross the pipe."""
    floor.worker("--pool", pool)
    floor.send("jobs.note_types", datetime.now(UTC), Decimal("1.10"), uuid4(), b"\xff", {"a": [1]}, None)
    floor.ended("datetime Decimal UUID bytes dict NoneType", within=MINUTE)


@POOLS
def test_who_listens_to_events_hears_of_every_step(floor: Floor, pool: str) -> None:
    """Flower is built on them."""
    floor.worker("--pool", pool, "-E")
    app = app_for(floor.url)
    heard: set[str] = set()
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": lambda event: heard.add(event["type"])})
        for turn, _ in enumerate(receiver.itercapture(limit=40, timeout=60, wakeup=False)):
            if turn == 0:
                floor.send("jobs.note", "told of")
            if {"task-received", "task-started", "task-succeeded"} <= heard:
                break
    assert {"task-received", "task-started", "task-succeeded"} <= heard


def test_a_time_limit_ends_a_job(floor: Floor) -> None:
    """The pool is told of it by the request."""
    floor.worker("--prefetch-multiplier", "4")
    floor.send("jobs.note", "endless", 600, time_limit=1)
    for number in range(8):
        floor.send("jobs.note", number)
    floor.ended(*map(str, range(8)), within=MINUTE)
    eventually(lambda: floor.waiting() == floor.held() == 0, within=MINUTE, because=floor.workers[0].recent_logs)
    assert not floor.diary["ended endless"]


def test_an_eta_is_kept_while_others_run(floor: Floor) -> None:
    """It goes its whole way."""
    floor.worker("--prefetch-multiplier", "4")
    due_at = datetime.now(UTC) + timedelta(seconds=5)
    for number in range(20):
        floor.send("jobs.note", f"later {number}", eta=due_at)
    names = [str(number) for number in range(50)]
    for name in names:
        floor.send("jobs.note", name)
    floor.ended(*names, within=MINUTE)
    floor.ended(*(f"later {number}" for number in range(20)), within=MINUTE)
    assert datetime.now(UTC) >= due_at
    assert set(floor.diary.values()) == {1}
