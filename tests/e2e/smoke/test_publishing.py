"""Publishing while the broker is down or hangs: it fails, soon, and says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic

import pytest
from kombu.exceptions import OperationalError

from tests.e2e.smoke.nodes import Nodes
from tests.e2e.smoke.stage import Stage, new_app

# A refused connection is known at once; three tries with pauses of 0.1 and 0.3 s make the rest: half a second where the
# machine is idle.
BOUND_WHEN_DOWN = 15.0

# A server that hangs takes the connection and says nothing: three tries of 2 s each on the old connection and new
# ones, 8.4 s on an idle machine (`tasks.enqueue.bounded`). Less than a web server's patience, which is 30 s.
BOUND_WHEN_HUNG = 25.0

pytestmark = pytest.mark.django_db  # so that the database is there which the workers write to


@pytest.fixture
def stage(nodes: Nodes) -> Iterator[Stage]:
    """A publisher that has published, so that its pool holds a connection."""
    stage = Stage(nodes)
    stage.send("note_default", "before")
    yield stage
    stage.teardown()


def seconds_to_fail(publish: Callable[[], object]) -> float:
    """How long it took until *publish* gave up."""
    began = monotonic()
    with pytest.raises(OperationalError):
        publish()
    return monotonic() - began


def test_publishing_to_a_broker_that_is_down_fails_in_bounded_time(stage: Stage) -> None:
    """With a connection from before, and without one."""
    stage.broker.kill()

    assert seconds_to_fail(lambda: stage.send("note_default", "down")) < BOUND_WHEN_DOWN
    assert seconds_to_fail(lambda: new_app(stage.url).send_task("smoke.note_default", ["down"])) < BOUND_WHEN_DOWN


def test_publishing_to_a_broker_that_hangs_fails_in_bounded_time(stage: Stage) -> None:
    """And works again, without a restart of anything, once the broker goes on."""
    stage.broker.container.pause()

    assert seconds_to_fail(lambda: stage.send("note_default", "hung")) < BOUND_WHEN_HUNG
    assert seconds_to_fail(lambda: new_app(stage.url).send_task("smoke.note_default", ["hung"])) < BOUND_WHEN_HUNG

    stage.broker.container.unpause()
    stage.send("note_default", "after")
