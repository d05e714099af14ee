"""Jobs in workers: when they are carried out, and how often."""

from __future__ import annotations

import time
from datetime import timedelta

from celery import chord

from tasks.testing.waiting import eventually
from tests.conformance.broker.declaring import cannot, promised
from tests.conformance.broker.floor import Floor
from tests.conformance.broker.subjects import VISIBILITY

LONG = 2.5 * VISIBILITY


@promised("eta")
def test_a_job_is_carried_out_after_its_eta_and_once(manned_floor: Floor) -> None:
    """Not before, and not a poll of minutes later."""
    sent_at = time.time()
    for mark, countdown in (("due", 1), ("due soon", 0.4)):
        manned_floor.send("say", mark, countdown=countdown)

    for mark, earliest in (("due", 0.9), ("due soon", 0.4)):
        (note,) = manned_floor.await_said(mark, "ran")
        assert earliest < note["at"] - sent_at < 10
    settled(manned_floor)
    assert (manned_floor.said("due"), manned_floor.said("due soon")) == (["ran"], ["ran"])


@promised("far_eta")
def test_a_job_is_carried_out_once_though_its_eta_is_beyond_the_visibility_timeout(manned_floor: Floor) -> None:
    """Who waits for a time is not dead."""
    manned_floor.send("say", "far", countdown=LONG.total_seconds())

    manned_floor.await_said("far", "ran")
    settled(manned_floor)
    assert manned_floor.said("far") == ["ran"]


@cannot("far_eta", "redis")
def test_on_redis_a_far_eta_is_carried_out_more_than_once(manned_floor: Floor) -> None:
    """Each time that the message is handed out anew, another worker waits for the same time."""
    manned_floor.send("say", "far", countdown=LONG.total_seconds())

    eventually(lambda: len(manned_floor.said("far")) > 1, because=lambda: str(manned_floor.notes("far")))


@promised("long_job")
def test_a_job_that_runs_long_runs_once(manned_floor: Floor) -> None:
    """Slow is not dead."""
    manned_floor.send("hold", "long")
    manned_floor.await_said("long", "started")
    passed(LONG)
    manned_floor.release("long")

    manned_floor.await_said("long", "started", "finished")
    settled(manned_floor)
    assert manned_floor.said("long") == ["started", "finished"]


@cannot("long_job", "redis")
def test_on_redis_a_long_job_runs_twice_at_once(manned_floor: Floor) -> None:
    """The other worker is given what the first one is at."""
    manned_floor.send("hold", "long")

    first, second = manned_floor.await_said("long", "started", "started")
    manned_floor.release("long")
    assert first["pid"] != second["pid"]
    manned_floor.await_said("long", "started", "started", "finished", "finished")


@promised("expiry")
def test_a_job_whose_time_is_over_is_not_carried_out(manned_floor: Floor) -> None:
    """It waited too long to be of use."""
    for mark in ("blocks one", "blocks the other"):
        manned_floor.send("hold", mark)
        manned_floor.await_said(mark, "started")
    manned_floor.send("say", "expired", expires=0.5)
    manned_floor.send("say", "after")
    passed(timedelta(seconds=1))
    for mark in ("blocks one", "blocks the other"):
        manned_floor.release(mark)

    manned_floor.await_said("after", "ran")
    settled(manned_floor)
    assert manned_floor.said("expired") == []


@promised("chord")
def test_a_chords_body_is_carried_out_once_with_its_members_results(manned_floor: Floor) -> None:
    """Its members run on both workers."""
    members = [manned_floor.app.signature("conformance.double", (number,)) for number in range(6)]
    result = chord(members)(manned_floor.app.signature("conformance.total", ("body",)))

    assert result.get(timeout=30) == 2 * sum(range(6))
    (note,) = manned_floor.notes("body")
    assert sorted(note["numbers"]) == [0, 2, 4, 6, 8, 10]


def passed(span: timedelta) -> None:
    """Wait until *span* has passed: what must not happen has had the time to."""
    until = time.monotonic() + span.total_seconds()
    eventually(lambda: time.monotonic() >= until, within=2 * span)


def settled(floor: Floor) -> None:
    """Wait until nothing waits and a job that is sent now has been carried out."""
    mark = f"settled-{time.monotonic()}"
    floor.send("say", mark)
    floor.await_said(mark, "ran")
    eventually(lambda: floor.depth() == 0)
