"""What Celery would have RabbitMQ delay waits in the outbox under its own name; what it can't delay is rounded up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu.transport.native_delayed_delivery import calculate_routing_key

from project.celery import app
from tasks.enqueue.native_delay import delayable, eta_of, undelayed


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


def test_a_time_is_read_as_celery_reads_it() -> None:
    """A countdown wins; text is what Celery itself writes; a time without a zone is UTC."""
    soon = datetime.now(UTC) + timedelta(seconds=30)
    naive = datetime(2030, 6, 1, 12)  # noqa: DTZ001

    assert eta_of(app, None, None) is None
    assert eta_of(app, None, soon.isoformat()) == eta_of(app, None, soon) == soon
    assert eta_of(app, None, naive) == naive.replace(tzinfo=UTC)
    counted = eta_of(app, 30, None)
    assert counted is not None
    assert abs(counted - soon) < timedelta(seconds=5)


def test_less_than_a_second_is_a_second() -> None:
    """Celery would raise a ValueError at it; earlier than asked for would break a promise."""
    assert delayable(app, 0.4, None) == (1, None)
    assert delayable(app, None, datetime.now(UTC) + timedelta(seconds=0.9)) == (1, None)


@pytest.mark.parametrize("countdown", [None, 0, -3, 1.5, 3600])
def test_any_other_countdown_is_left_as_it_is(countdown: float | None) -> None:
    """Celery cuts off the fraction, and its worker waits for that."""
    assert delayable(app, countdown, None) == (countdown, None)
