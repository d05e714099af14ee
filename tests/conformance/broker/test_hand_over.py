"""The moment between the broker's sending and the consumer's reading."""

from __future__ import annotations

import contextlib
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from project.env import PROJECT_ROOT
from tasks.testing.processes import ProcessContainer
from tasks.testing.waiting import eventually
from tests.conformance.broker.declaring import cannot, promised
from tests.conformance.broker.hand import WITHIN, Hand, depth, producing
from tests.conformance.broker.subjects import VISIBILITY, Subject
from tests.conformance.broker.waiting_consumer import ASKING


@promised("hand_over")
def test_a_message_that_its_consumer_never_read_is_delivered_to_another(subject: Subject, tmp_path: Path) -> None:
    """A worker dies with the answer in its socket."""
    assert taken_after_a_lost_hand_over(subject, tmp_path, within=WITHIN)


@cannot("hand_over", "redis")
def test_redis_loses_a_message_that_its_consumer_never_read(subject: Subject, tmp_path: Path) -> None:
    """It is on no list, and in nobody's hands. Tried again where its BRPOP had ended just before it was frozen."""
    assert not all(
        taken_after_a_lost_hand_over(subject, tmp_path / str(turn), within=2 * VISIBILITY) for turn in range(5)
    )


class WaitingConsumer(ProcessContainer):
    """`waiting_consumer` as a process."""

    @property
    def ready_prompt(self) -> str:
        """What it says once it waits."""
        return ASKING


def taken_after_a_lost_hand_over(subject: Subject, directory: Path, *, within: timedelta) -> bool:
    """Whether another consumer gets what the broker sent to one that was killed before it read."""
    queue = subject.queue()
    with producing(subject, queue) as send:
        command = [sys.executable, "-m", "tests.conformance.broker.waiting_consumer", subject.dumped(), queue.name]
        surroundings = {"PYTHONPATH": str(PROJECT_ROOT)}
        first = WaitingConsumer(command, name="consumer", directory=directory, environment=surroundings)
        try:
            first.ready()
            first.pause()
            send("in between")
            answered(subject, queue)
        finally:
            first.teardown()
        with Hand(subject, queue, prefetch=1) as second, contextlib.suppress(AssertionError):
            second.take(within=within)[0].ack()
            return True
        return False


def answered(subject: Subject, queue: Any) -> None:
    """Wait until the broker has sent the message, or for long enough to say that it sends none to who doesn't read."""
    with contextlib.suppress(AssertionError):
        eventually(lambda: depth(subject, queue) == 0, within=timedelta(seconds=2))
