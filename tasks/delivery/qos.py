"""What a channel has given its consumers and not got back: the prefetch limit, acknowledging and rejecting."""

from __future__ import annotations

from typing import Any

from .kombu_parts import base
from .lease import Held
from .message import LeasedMessage


class LeaseQoS(base.QoS):  # type: ignore[misc] # kombu has no types
    """Counts what is in hand. The leases do the rest, also after the channel is closed."""

    def __init__(self, channel: Any, prefetch_count: int = 0) -> None:
        # The base class keeps every message, to restore it at exit; here the server knows what we hold.
        self.channel, self.prefetch_count = channel, prefetch_count or 0
        self._in_hand: dict[str, Held] = {}
        self._alone: set[str] = set()

    @property
    def in_hand(self) -> bool:
        """Whether anything is."""
        return bool(self._in_hand)

    def room(self, unlimited: int) -> int:
        """How many more messages may come in; *unlimited* where there is no limit."""
        if not self.can_consume():
            return 0
        if "can_consume" in self.__dict__:  # Celery's worker_disable_prefetch has put its own in place
            return 1
        return max(self.prefetch_count - len(self._in_hand), 0) if self.prefetch_count else unlimited

    def can_consume(self) -> bool:
        """Whether one more may come in."""
        return not self.prefetch_count or len(self._in_hand) < self.prefetch_count

    def can_consume_max_estimate(self) -> int | None:
        """How many more may come in; None where there is no limit."""
        return self.room(0) if self.prefetch_count else None

    def append(self, message: Any, delivery_tag: str) -> None:
        """A message is given to a consumer who will acknowledge it."""
        if isinstance(message, LeasedMessage) and message.held is not None:
            self._in_hand[delivery_tag] = message.held
            if message.held.alone:
                self._alone.add(delivery_tag)

    def get(self, delivery_tag: str) -> Held:
        """What is known of it. Raises KeyError."""
        return self._in_hand[delivery_tag]

    def ack(self, delivery_tag: str) -> None:
        """It is done."""
        held = self._take(delivery_tag)
        if held is not None:
            held.lease.ack(held)
            self.channel.something_to_tell()

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """It is dropped; or it goes to the front of its list, as died if its process is dead."""
        held = self._take(delivery_tag)
        if held is None:
            return
        if requeue:
            held.lease.let_go(held, "died" if held.died else "back")
        elif held.refused:
            held.lease.let_go(held, "intake", held.refused)
        else:
            held.lease.ack(held)
        self.channel.something_to_tell()

    def forget(self, delivery_tag: str) -> None:
        """Nobody refers to it any more."""
        self._take(delivery_tag)

    def may_begin(self, held: Held) -> bool:
        """Whether a message may be given to its consumer now.

        One that has been in dying workers so often that the next time is its last runs with no other beside it. Who
        ran beside a worker's killer each time would else go to the intake with it; so it gets through, and the killer
        goes alone.
        """
        if self._alone:
            return False
        return not held.alone or all(other.waiting for other in tuple(self._in_hand.values()))

    def others_may_begin(self, delivery_tag: str) -> None:
        """It was to run by itself, and nobody knows when."""
        self._alone.discard(delivery_tag)

    def _take(self, delivery_tag: str) -> Held | None:
        self._alone.discard(delivery_tag)
        return self._in_hand.pop(delivery_tag, None)

    def restore_unacked(self) -> list[Any]:
        """Everything in hand goes back."""
        for tag in list(self._in_hand):
            self.reject(tag, requeue=True)
        return []

    def restore_unacked_once(self, stderr: Any = None) -> None:
        """Called when the channel is closed; see `Channel.close`, which knows more."""
