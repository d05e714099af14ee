"""What a broker must do, and which of ours can't: each with what happens instead.

A subject that a capability's `cannot` doesn't name keeps the promise, and a test shows it; for each that it names, a
test shows that what is said there is what happens. docs/brokers.md is made of this table (`table.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

# As they are called in the table, with how they are called in prose.
SUBJECTS: Final[Mapping[str, str]] = {
    "lease": "Valkey with leases, `redis+lease://`",
    "lease-redis": "the same on Redis 7",
    "redis": "Redis, Valkey with Celery's own transport, `redis://`",
    "rabbitmq": "RabbitMQ with quorum queues, `amqp://`",
    "sqs": "Amazon SQS with standard queues, `sqs://`; the suite's is moto's",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """Something that a broker must do.

    promise: one sentence, as the reader of the docs gets it. cannot: by subject, what happens instead, and why.
    """

    name: str
    promise: str
    cannot: Mapping[str, str] = field(default_factory=dict)


CAPABILITIES: Final[tuple[Capability, ...]] = (
    Capability(
        name="order",
        promise="Messages of the same urgency come in the order in which they were sent.",
        cannot={
            "sqs": "A standard queue promises no order, though it nearly keeps it.",
        },
    ),
    Capability(
        name="priority",
        promise="What is more urgent overtakes what waits in the same queue.",
        cannot={
            "rabbitmq": "RabbitMQ 3's quorum queues go by age alone, whatever the message says. RabbitMQ 4, "
            "which the suite doesn't run, is said to know two levels: `URGENT` and `NORMAL`, and the others.",
            "sqs": "It knows no urgency. What must not wait gets a queue and workers of its own, as `critical` has.",
        },
    ),
    Capability(
        name="ack",
        promise="An acknowledged message is gone, and one that isn't acknowledged stays with whoever took it.",
    ),
    Capability(
        name="requeue",
        promise="A message that is rejected with requeue comes again, and is marked as redelivered.",
    ),
    Capability(
        name="requeue_order",
        promise="It comes before what was sent after it.",
        cannot={
            "redis": "It goes behind everything that waits.",
            "sqs": "It is there again at once, in whatever place.",
        },
    ),
    Capability(
        name="reject",
        promise="A message that is rejected without requeue is kept among the dead letters.",
        cannot={
            "lease": "It is gone, as whoever rejects is taken to have kept it; a toolkit task's worker has.",
            "lease-redis": "The same.",
            "redis": "It is gone.",
        },
    ),
    Capability(
        name="prefetch",
        promise="A consumer holds no more of a queue than its prefetch count.",
    ),
    Capability(
        name="depth",
        promise="A queue tells how many messages wait in it, over all urgencies.",
    ),
    Capability(
        name="purge",
        promise="A purge empties a queue and tells of how many messages.",
    ),
    Capability(
        name="nowhere",
        promise="A job that no queue would get is an error of whoever publishes it.",
        cannot={
            "redis": "It is gone, and nobody is told.",
        },
    ),
    Capability(
        name="hand_over",
        promise="A consumer that dies between the broker's sending and its own reading loses nothing.",
        cannot={
            "redis": "The message is gone: BRPOP took it off its list, and only the reader would have noted it down.",
        },
    ),
    Capability(
        name="broadcast",
        promise="What is sent to a fan-out exchange reaches every queue that is bound to it.",
        cannot={
            "sqs": "It reaches nobody.",
        },
    ),
    Capability(
        name="control",
        promise="Workers answer remote control (`ping`, `inspect`) and obey it (`revoke`).",
        cannot={
            "sqs": "There is none, nor are there events: who asks gets no answer. Flower shows nothing, and "
            "`/health/workers` tells of no consumers.",
        },
    ),
    Capability(
        name="eta",
        promise="A job with an ETA is carried out after it, not before, and once.",
    ),
    Capability(
        name="far_eta",
        promise="Once also where the ETA is further away than the lease or visibility timeout.",
        cannot={
            "redis": "It is carried out once for every visibility timeout that it waits in a worker. `enqueue` keeps "
            "what is due later in the outbox, so this is about `apply_async(countdown=…)` alone.",
        },
    ),
    Capability(
        name="long_job",
        promise="A job that runs for longer than the lease or visibility timeout runs once.",
        cannot={
            "redis": "A second copy is carried out while the first one runs.",
        },
    ),
    Capability(
        name="expiry",
        promise="A job whose time is over is not carried out.",
    ),
    Capability(
        name="results",
        promise="A result comes back through the broker, where it is asked for (`rpc://`).",
    ),
    Capability(
        name="chord",
        promise="A chord's body is carried out once, with its members' results.",
    ),
    Capability(
        name="killed_worker",
        promise="What a killed worker held is carried out by another.",
    ),
    Capability(
        name="counts",
        promise="A message tells how often it was delivered before.",
        cannot={
            "redis": "It only tells that it was.",
        },
    ),
    Capability(
        name="limit",
        promise="A message that kills whoever takes it is put among the dead letters after a few times.",
        cannot={
            "redis": "It comes again for ever.",
        },
    ),
    Capability(
        name="bad_body",
        promise="A message whose body or headers no worker can read harms no worker.",
    ),
    Capability(
        name="bad_bytes",
        promise="Bytes in a queue that are no message at all harm no worker.",
        cannot={
            "redis": "The worker's main process ends at them. They are off the list then: the next one lives.",
        },
    ),
)


def capability(name: str) -> Capability:
    """The one called *name*. Raises LookupError."""
    for known in CAPABILITIES:
        if known.name == name:
            return known
    raise LookupError(f"there is no capability {name!r}")
