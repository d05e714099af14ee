"""Every key and word that the transport writes on the server, named once.

All keys but the queues' lists begin with `global_keyprefix` and then one of these. The lists are kombu's own.
"""

from __future__ import annotations

from typing import Final

OWNERS: Final = "tasks.owners"
"""Sorted set: owner → when its lease ends (ms of the server's clock)."""

EXPIRED: Final = "tasks.owners.expired"
"""Sorted set: owners whose lease is over and whose messages are still being given back."""

HEARD: Final = "tasks.heard"
"""String: when any lease was renewed last (ms of the server's clock)."""

HELD: Final = "tasks.held:"
"""Hash, one an owner: number of the claim → when it was claimed, the list it came from, the message's bytes."""

WAITING: Final = "tasks.waiting:"
"""Set, one an owner: numbers of what is held and has not been started; "closed" when it may claim no more."""

COUNTS: Final = "tasks.counts:"
"""Hash, one a message (by SHA-1 of its bytes) that was handed out before: delivered, started, died, given_back."""

COUNTED: Final = "tasks.counted"
"""String, there while any message has counts: without it nobody looks for them."""

LATER: Final = "tasks.later"
"""Sorted set: id → when it is due. Messages whose time is far away."""

LATER_MESSAGES: Final = "tasks.later.messages"
"""Hash: id → the same record as in HELD."""

SEEN: Final = "tasks.seen:"
"""String, one a publisher: number of its last message; keeps a repeated publication out."""

INTAKE: Final = "tasks.intake"
"""Sorted set: id of an entry → when it came in. What can't be handed to a worker at all."""

INTAKE_FACTS: Final = "tasks.intake.facts"
"""Hash: id → JSON object with reason, queue, delivered, started, died, given_back, at, owner."""

INTAKE_RAW: Final = "tasks.intake.raw"
"""Hash: id → the message's bytes as they were published."""
