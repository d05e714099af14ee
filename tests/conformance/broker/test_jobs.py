"""Jobs in workers: when they are carried out, and how often."""

from __future__ import annotations

import time
from datetime import timedelta

from celery import chord

from tests.conformance.broker.declaring import promised
from tests.conformance.broker.floor import WITHIN, Floor
from tests.conformance.broker.passing import passed, settled


@promised("eta")
def test_a_job_is_carried_out_after_its_eta_and_once(manned_floor: Floor) -> None:
    """Not before, and not a poll of minutes later."""
    sent_at = time.time()
    for mark, countdown in (("due", 0.8), ("due soon", 0.4)):
        manned_floor.send("say", mark, countdown=countdown)

    for mark, earliest in (("due", 0.7), ("due soon", 0.4)):
        (note,) = manned_floor.await_said(mark, "ran")
        assert earliest < note["at"] - sent_at < WITHIN.total_seconds()
    settled(manned_floor)
    assert (manned_floor.said("due"), manned_floor.said("due soon")) == (["ran"], ["ran"])


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
