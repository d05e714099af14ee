"""One message of a queue, for who asks for it by itself and waits for the answer: `basic_get`.

Such calls have a lease of their own, and no line: each is a whole conversation.
"""

from __future__ import annotations

import time
from typing import Any

from .lease import Lease
from .line import Claimed, LeaseGone, Order
from .message import LeasedMessage, Undeliverable, message_read


class Gets:
    """Of one channel."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self.lease: Lease | None = None

    def next_of(self, queue: str) -> LeasedMessage | None:
        """The next message of *queue* that can be read; None if there is none. Raises redis-py's errors."""
        more = True
        while more:
            lease = self.lease = self._channel.keeper.lease_after(self.lease)
            try:
                more, claimed = self._claim(lease, queue)
            except LeaseGone:
                self._channel.keeper.lost(lease)
                continue
            for one in claimed:  # at most one: there was room for no more
                message = self._message(one, queue)
                if message is not None:
                    return message
        return None

    def _claim(self, lease: Lease, queue: str) -> tuple[bool, list[Claimed]]:
        """Whether there may be more, and what has come."""
        channel = self._channel
        lists = tuple(f"{channel.global_keyprefix}{one}".encode() for one in channel.lists_of(queue))
        order, asked_at, acks = Order((queue,), lists, (1,), 0), time.monotonic(), lease.take_acks()
        keys, words = channel.line.question(lease, order, 1, acks, waiting=False)
        try:
            answer = channel._scripts.run("claim", keys, words)
        except BaseException:
            lease.put_back(acks, [])
            raise
        return answer[0] == 1, channel.line.claimed(lease, order, asked_at, answer)

    def _message(self, one: Claimed, queue: str) -> LeasedMessage | None:
        held = one.lease.take_up(one.number, one.raw, counted=one.counts.delivered > 0, waiting=False)
        if one.queue != queue:  # it was taken by a call for another queue, whose answer was lost
            held.lease.let_go(held, "back")
            self._channel.keeper.notice()
            return None
        try:
            return message_read(one.raw, self._channel, held, one.counts)
        except Undeliverable as refusal:
            self._channel.refuse(held, queue, refusal)
            return None
