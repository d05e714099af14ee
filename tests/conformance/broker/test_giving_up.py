"""Messages that are refused, or come too often: counted, and put away where a person finds them."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import Any

from redis import Redis

from tasks.delivery.intake import DIED_TOO_OFTEN, intake_peek, intake_size
from tasks.testing.waiting import eventually
from tests.conformance.broker.declaring import cannot, promised
from tests.conformance.broker.hand import Hand, depth, producing
from tests.conformance.broker.subjects import DELIVERY_LIMIT, Subject


@promised("reject")
def test_what_is_rejected_for_good_is_kept_among_the_dead_letters(subject: Subject) -> None:
    """Whole, and with where it came from where the broker says so."""
    queue = subject.queue()
    with dead_letters(subject), producing(subject, queue) as send, Hand(subject, queue) as hand:
        send("refused", headers={"kept": "too"})
        hand.take()[0].reject()

        letter = dead_letter(subject, "refused")
        assert letter.headers["kept"] == "too"
        if subject.name == "rabbitmq":
            (death,) = letter.headers["x-death"]
            assert (death["queue"], death["reason"]) == (queue.name, "rejected")
        assert depth(subject, queue) == 0


@cannot("reject", "lease", "lease-redis", "redis")
def test_redis_forgets_what_is_rejected_for_good(subject: Subject) -> None:
    """Whoever rejects has to keep it."""
    queue = subject.queue()
    with producing(subject, queue) as send, Hand(subject, queue) as hand:
        send("refused")
        hand.take()[0].reject()
    with Hand(subject, queue) as next_one:  # what is only held is given back when its holder goes
        assert next_one.nothing_comes()
    with closing(Redis.from_url(subject.url.replace("+lease", ""))) as client:
        assert client.keys("*unacked") == []
        assert intake_size(client) == 0


@promised("counts")
def test_a_message_tells_how_often_it_was_delivered_before(subject: Subject) -> None:
    """What comes again and again is known by it."""
    queue = subject.queue()
    with producing(subject, queue) as send, Hand(subject, queue, prefetch=1) as hand:
        send("counted")
        counts = []
        for _ in range(DELIVERY_LIMIT):
            (message,) = hand.take()
            counts.append(deliveries_before(message))
            message.reject(requeue=True)

        assert counts == list(range(DELIVERY_LIMIT))


@cannot("counts", "redis")
def test_redis_tells_only_that_it_was(subject: Subject) -> None:
    """Nothing on the message, or beside it, says how often."""
    queue = subject.queue()
    with producing(subject, queue) as send, Hand(subject, queue, prefetch=1) as hand:
        send("counted")
        seen = []
        for _ in range(3):
            (message,) = hand.take()
            facts = {key: value for key, value in message.delivery_info.items() if "tag" not in key}
            seen.append((facts, message.headers))
            message.reject(requeue=True)

        assert [facts.get("redelivered") for facts, _ in seen] == [None, True, True]
        assert seen[1] == seen[2]


@promised("limit")
def test_a_message_that_kills_whoever_takes_it_is_put_among_the_dead_letters(subject: Subject) -> None:
    """It must not end the fleet."""
    queue = subject.queue()
    with dead_letters(subject), producing(subject, queue) as send, Hand(subject, queue, prefetch=1) as hand:
        send("poison")
        for _ in range(DELIVERY_LIMIT):
            die_of(hand.take()[0])
        if not hand.nothing_comes():  # RabbitMQ means the times after the first one
            die_of(hand.take()[0])
            assert hand.nothing_comes()

        eventually(lambda: depth(subject, queue) == 0)
        if not subject.name.startswith("lease"):
            letter = dead_letter(subject, "poison", asking=hand)
            assert subject.name != "rabbitmq" or letter.headers["x-death"][0]["reason"] == "delivery_limit"
            return
    with closing(Redis.from_url(subject.url.replace("+lease", ""))) as client:
        assert [entry.reason for entry in intake_peek(client)] == [DIED_TOO_OFTEN]


@cannot("limit", "redis")
def test_redis_delivers_it_again_for_ever(subject: Subject) -> None:
    """Ten times the limit, and no end."""
    queue = subject.queue()
    with producing(subject, queue) as send, Hand(subject, queue, prefetch=1) as hand:
        send("poison")
        for _ in range(10 * DELIVERY_LIMIT):
            die_of(hand.take()[0])

        hand.take()[0].ack()


def die_of(message: Any) -> None:
    """What a worker does with the message of a job that has killed its child: requeue it, and say so where one can."""
    held = getattr(message, "held", None)
    if held is not None:
        held.died = True
    message.reject(requeue=True)


def dead_letters(subject: Subject) -> Any:
    """Declares their queue: RabbitMQ tries only every few minutes whether there is one by now."""
    return producing(subject, subject.dead_letters())


def dead_letter(subject: Subject, body: str, *, asking: Hand | None = None) -> Any:
    """Wait for the dead letter with that body; others that are there are dropped.

    asking: goes on asking for the message, as SQS puts away what has been delivered too often when it is asked for it.
    """
    with Hand(subject, subject.dead_letters()) as letters:

        def come() -> bool:
            if asking is not None:
                asking.look()
                assert not asking.taken, "it was delivered again"
            letters.look()
            return bool(letters.taken)

        while True:
            eventually(come, within=timedelta(seconds=60))
            (letter,) = letters.take()
            letter.ack()
            if letter.payload == body:
                return letter


def deliveries_before(message: Any) -> int:
    """How often *message* was delivered before, by its own account."""
    counts = message.properties.get("x-counts") or {"delivered": message.headers.get("x-delivery-count")}
    return int(counts["delivered"] or 0)
