"""A message that Celery would have RabbitMQ delay waits in the outbox under its own name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu.transport.native_delayed_delivery import calculate_routing_key

from tasks.enqueue.native_delay import undelayed


@given(st.integers(1, 2**28 - 1), st.sampled_from(["default", "critical", "0.1.odd"]))
def test_the_seconds_are_taken_off_the_routing_key(seconds: int, queue: str) -> None:
    """The key that Celery makes, back to the one that it was made of."""
    assert undelayed("celery_delayed_27", calculate_routing_key(seconds, queue)) == (queue, queue)


def test_what_came_through_the_cascade_goes_back_to_its_queue() -> None:
    """A retry is published to where the message came from last, which was the end of the cascade."""
    key = calculate_routing_key(90, "critical")

    assert undelayed("celery_delayed_delivery", key) == ("critical", "critical")
    assert undelayed("celery_delayed_delivery", "critical") == ("critical", "critical")


@pytest.mark.parametrize(("exchange", "key"), [("default", "default"), ("", "default"), ("orders", "0.1.2")])
def test_any_other_message_is_left_as_it_is(exchange: str, key: str) -> None:
    """Most are."""
    assert undelayed(exchange, key) == (exchange, key)
