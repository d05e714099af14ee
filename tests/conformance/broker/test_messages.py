"""Messages and their hand-over, by kombu alone."""

from __future__ import annotations

from config.queues import BULK, NORMAL, PATIENT, URGENT
from tasks.testing.waiting import eventually
from tests.conformance.broker.declaring import cannot, promised
from tests.conformance.broker.hand import Hand, depth, producing
from tests.conformance.broker.subjects import Subject

MIXED = [(urgency, turn) for turn in range(3) for urgency in (BULK, NORMAL, URGENT, PATIENT)]


@promised("order")
def test_messages_come_in_the_order_in_which_they_were_sent(subject: Subject) -> None:
    """A job that was sent first has waited longest."""
    queue = subject.queue()
    with producing(subject, queue) as send, Hand(subject, queue) as hand:
        for turn in range(20):
            send(turn)

        assert [message.payload for message in hand.take(20)] == list(range(20))


@promised("priority")
def test_urgent_messages_overtake_those_that_wait(subject: Subject) -> None:
    """By urgency, and by age within the same."""
    queue = subject.queue()
    with producing(subject, queue) as send:
        for urgency, turn in MIXED:
            send([urgency, turn], priority=urgency)
    with Hand(subject, queue, prefetch=1) as hand:
        assert taken_one_by_one(hand, len(MIXED)) == [list(sent) for sent in sorted(MIXED, key=lambda sent: sent[0])]


@cannot("priority", "rabbitmq")
def test_rabbitmq_3_goes_by_age_alone(subject: Subject) -> None:
    """Its quorum queues take the priority and don't look at it; what the consumer reads is what was meant."""
    queue = subject.queue()
    with producing(subject, queue) as send:
        for urgency, turn in MIXED:
            send([urgency, turn], priority=urgency)
    with Hand(subject, queue, prefetch=1) as hand:
        assert hand.connection.connection.server_properties["version"].startswith("3.")
        for urgency, turn in MIXED:
            (message,) = hand.take()
            assert message.payload == [urgency, turn]
            assert message.properties["priority"] == urgency
            message.ack()


@cannot("priority", "sqs")
def test_sqs_knows_no_urgency(subject: Subject) -> None:
    """moto's comes by age, Amazon's about so; the urgency is on the message all the same."""
    queue = subject.queue()
    with producing(subject, queue) as send:
        for urgency, turn in MIXED:
            send([urgency, turn], priority=urgency)
    with Hand(subject, queue, prefetch=1) as hand:
        came = taken_one_by_one(hand, len(MIXED))
    assert came == [list(sent) for sent in MIXED]


@cannot("order", "sqs")
def test_a_queue_of_sqs_is_a_standard_one(subject: Subject) -> None:
    """Only a FIFO queue would promise an order, and a group of it waits for whoever holds its first message."""
    assert "FifoQueue" not in sqs_attributes(subject)


@cannot("requeue_order", "sqs")
def test_what_is_given_back_to_sqs_is_there_at_once(subject: Subject) -> None:
    """Where in the queue is SQS's affair."""
    assert sorted(map(str, order_after_giving_back(subject))) == ["first", "second", "third"]
    assert "FifoQueue" not in sqs_attributes(subject)


@promised("ack")
def test_an_acknowledged_message_is_gone_and_another_stays_with_who_took_it(subject: Subject) -> None:
    """Acknowledging is what takes a message off the broker; taking it isn't."""
    queue = subject.queue()
    with producing(subject, queue) as send:
        send("acknowledged")
        send("held")
    with Hand(subject, queue) as hand:
        first, _held = hand.take(2)
        first.ack()
        assert depth(subject, queue) == 0
        with Hand(subject, queue) as other:
            assert other.nothing_comes()
    with Hand(subject, queue) as next_one:  # who held it has gone in order, and has given it back
        (again,) = next_one.take()
        assert again.payload == "held"
        again.ack()
        assert next_one.nothing_comes()


@promised("requeue")
def test_what_is_rejected_with_requeue_comes_again_and_says_so(subject: Subject) -> None:
    """A worker that can't have it now gives it back."""
    queue = subject.queue()
    with producing(subject, queue) as send, Hand(subject, queue, prefetch=1) as hand:
        send("given back")
        (message,) = hand.take()
        assert not message.delivery_info.get("redelivered")
        message.reject(requeue=True)

        (again,) = hand.take()
        assert (again.payload, bool(again.delivery_info["redelivered"])) == ("given back", True)
        again.ack()


@promised("requeue_order")
def test_what_is_given_back_comes_before_what_was_sent_after_it(subject: Subject) -> None:
    """It has waited longer."""
    assert order_after_giving_back(subject) == ["first", "second", "third"]


@cannot("requeue_order", "redis")
def test_redis_puts_what_is_given_back_behind_everything(subject: Subject) -> None:
    """`reject` pushes at the end at which publishers push."""
    assert order_after_giving_back(subject) == ["second", "third", "first"]


@promised("prefetch")
def test_a_consumer_holds_no_more_than_its_prefetch_count(subject: Subject) -> None:
    """What a worker holds nobody else can take."""
    queue = subject.queue()
    with producing(subject, queue) as send:
        for turn in range(5):
            send(turn)
    with Hand(subject, queue, prefetch=2) as hand:
        first, second = hand.take(2)
        assert hand.nothing_comes()
        with Hand(subject, queue, prefetch=3) as other:
            assert len(other.take(3)) == 3
            first.ack()
            second.ack()


@promised("depth")
def test_a_queue_tells_how_many_messages_wait_over_all_urgencies(subject: Subject) -> None:
    """Limits at the gate and the operations page go by it."""
    queue = subject.queue()
    with producing(subject, queue) as send:
        for urgency, turn in MIXED:
            send(turn, priority=urgency)

    eventually(lambda: depth(subject, queue) == len(MIXED), because=lambda: str(depth(subject, queue)))


@promised("purge")
def test_a_purge_empties_a_queue_and_tells_of_how_many(subject: Subject) -> None:
    """Of every urgency."""
    queue = subject.queue()
    with producing(subject, queue) as send:
        for urgency, turn in MIXED:
            send(turn, priority=urgency)
    with subject.connect() as connection:
        eventually(lambda: depth(subject, queue) == len(MIXED))
        assert queue(connection.default_channel).purge() == len(MIXED)
    assert depth(subject, queue) == 0


def sqs_attributes(subject: Subject) -> dict[str, str]:
    """What SQS says of a queue that was made for us."""
    queue = subject.queue()
    with producing(subject, queue), subject.connect() as connection:
        channel = connection.default_channel
        url = channel._resolve_queue_url(queue.name)
        attributes: dict[str, str] = channel.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["All"])[
            "Attributes"
        ]
        return attributes


def taken_one_by_one(hand: Hand, count: int) -> list[object]:
    """The bodies of *count* messages, each acknowledged before the next is taken."""
    bodies = []
    for _ in range(count):
        (message,) = hand.take()
        bodies.append(message.payload)
        message.ack()
    return bodies


def order_after_giving_back(subject: Subject) -> list[object]:
    """In what order three messages come when the first one has been given back."""
    queue = subject.queue()
    with producing(subject, queue) as send:
        for word in ("first", "second", "third"):
            send(word)
    with Hand(subject, queue, prefetch=1) as hand:
        (first,) = hand.take()
        first.reject(requeue=True)
        return taken_one_by_one(hand, 3)
