"""Workers that are killed while they hold something."""

from __future__ import annotations

from tests.conformance.broker.declaring import promised
from tests.conformance.broker.floor import Floor


@promised("killed_worker")
def test_what_a_killed_worker_held_is_carried_out_by_another(floor: Floor) -> None:
    """What ran, and what it had only fetched."""
    worker = floor.worker(options="--concurrency 1 --prefetch-multiplier 3")
    floor.send("hold", "held")
    floor.send("say", "fetched")
    floor.await_said("held", "started")

    worker.kill()
    floor.release("held")
    floor.worker()

    floor.await_said("held", "started", "started", "finished")
    floor.await_said("fetched", "ran")
    assert floor.depth() == 0
