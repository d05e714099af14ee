"""Jobs that take or wait for longer than the lease or visibility timeout: slow is not dead."""

from __future__ import annotations

from tasks.testing.waiting import eventually
from tests.conformance.broker.declaring import cannot, promised
from tests.conformance.broker.floor import Floor
from tests.conformance.broker.passing import passed, settled
from tests.conformance.broker.subjects import LEASE

LONG = 1.4 * LEASE  # and twice the visibility timeout


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
    eventually(lambda: manned_floor.said("long").count("finished") >= 2)  # a slow machine may begin a third
