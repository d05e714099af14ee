"""What a queue, a connection and an urgency are on each broker."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.queues import PRIORITY_STEPS, URGENT
from tasks.topology import (
    DEAD_LETTER_EXCHANGE,
    Broker,
    UnknownBroker,
    broker_of,
    connection_options,
    dead_letter_shape,
    queue_shape,
    turned_round,
)


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("redis://127.0.0.1/0", Broker.REDIS),
        ("rediss://cache.example.com/1", Broker.REDIS),
        ("redis+lease://127.0.0.1/0", Broker.REDIS),
        ("sentinel://a:26379;sentinel://b:26379", Broker.REDIS),
        ("amqp://a//;amqp://b//", Broker.RABBITMQ),
        ("amqps://a//", Broker.RABBITMQ),
        ("sqs://", Broker.SQS),
    ],
)
def test_a_url_names_its_broker(url: str, broker: Broker) -> None:
    """Whatever comes before the scheme's plus sign or after the first of several URLs."""
    assert broker_of(url) is broker


def test_a_misspelt_scheme_is_refused_with_the_one_that_was_meant_and_without_the_password() -> None:
    """The URL holds a secret."""
    with pytest.raises(UnknownBroker) as caught:
        broker_of(f"ampq://user:{'hidden'}@host//")

    assert str(caught.value) == "the broker's URL has the scheme 'ampq': did you mean 'amqp'?"
    assert "hidden" not in repr(caught.value)


@given(st.integers(0, 9))
def test_an_urgency_that_is_turned_round_twice_is_itself(urgency: int) -> None:
    """On to the wire and off it."""
    assert turned_round(turned_round(urgency)) == urgency


def test_the_most_urgent_is_rabbitmqs_highest() -> None:
    """And what is out of range is the nearest."""
    assert [turned_round(urgency) for urgency in (URGENT, 9, -1, 12)] == [9, 0, 9, 0]


def test_a_quorum_queue_gives_up_what_came_too_often_to_the_dead_letter_exchange() -> None:
    """At least once, which RabbitMQ grants only to a queue that refuses when it is full."""
    shape = queue_shape(Broker.RABBITMQ, "default", delivery_limit=7)

    assert shape.exchange_type == "topic"  # delayed delivery can't bind to a direct exchange
    assert shape.arguments == {
        "x-queue-type": "quorum",
        "x-delivery-limit": 7,
        "x-dead-letter-exchange": DEAD_LETTER_EXCHANGE,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def test_the_queue_of_dead_letters_gives_up_nothing() -> None:
    """There is nowhere to give it to."""
    assert dead_letter_shape(Broker.RABBITMQ).arguments == {"x-queue-type": "quorum"}


@pytest.mark.parametrize("broker", [Broker.REDIS, Broker.SQS])
def test_a_queue_of_another_broker_has_no_arguments(broker: Broker) -> None:
    """They would be refused, or forgotten."""
    shape = queue_shape(broker, "default", delivery_limit=7)

    assert (shape.exchange_type, shape.arguments) == ("direct", {})


def test_each_broker_gets_the_options_that_its_transport_reads() -> None:
    """Another's would be passed on to a client that doesn't know them."""
    options = {
        broker: connection_options(
            broker,
            steps=PRIORITY_STEPS,
            visibility_timeout=timedelta(seconds=20),
            delivery_limit=7,
            queue_prefix="shop-",
        )
        for broker in Broker
    }

    assert options[Broker.RABBITMQ] == {"confirm_publish": True}
    assert options[Broker.SQS]["queue_name_prefix"] == "shop-"
    assert options[Broker.SQS]["delivery_limit"] == 7
    assert options[Broker.REDIS]["priority_steps"] == [0, 3, 6, 9]
    assert options[Broker.REDIS]["visibility_timeout"] == 20
