"""Telling the server that messages are about to run, before one of them can kill this process.

The server takes what is claimed for started, unless it was claimed to wait or has been noted as waiting since. That
note is taken back here: in the socket's buffer before the body can do anything, so the kernel delivers it even if this
process is killed. Nobody waits for the answer. If the connection is broken, the keeper tells it a moment later.
"""

from __future__ import annotations

from typing import Any

from kombu.log import get_logger
from redis.exceptions import RedisError

from .lease import Held, Lease

logger = get_logger(__name__)


class Starts:
    """Of one channel's messages."""

    gathered = False
    """Whether `tell` is called before anything that starts can begin; if not, each is told by itself."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._untold: list[Held] = []

    def add(self, held: Held) -> None:
        """It waited, and is about to run."""
        if held.lease.unsaid("waiting", held.number):
            return  # the server has not heard that it waited
        if self.gathered and not self._channel.closed:
            self._untold.append(held)
            return
        self._tell(held.lease, [held.number])  # and nobody else's: this may be one of many threads
        self._channel.keeper.notice()

    def take(self, lease: Lease) -> list[int]:
        """The numbers of what has come together under *lease*, for who tells it now."""
        taken = [held.number for held in self._untold if held.lease is lease]
        if taken:
            self._untold = [held for held in self._untold if held.lease is not lease]
        return taken

    def tell(self) -> None:
        """Tell what has come together."""
        if not self._untold:
            return
        untold, self._untold = self._untold, []
        by_lease: dict[Lease, list[int]] = {}
        for held in untold:
            by_lease.setdefault(held.lease, []).append(held.number)
        for lease, numbers in by_lease.items():
            self._tell(lease, numbers)
        self._channel.keeper.notice()

    def _tell(self, lease: Lease, numbers: list[int]) -> None:
        connection = self._channel.open_connection(lease)
        if connection is None:
            lease.chores.extend(("started", number, "-") for number in numbers)
            return
        try:
            self._channel.line.start(connection, lease, numbers)
        except (RedisError, OSError):
            logger.debug("could not tell that a message starts; the keeper will", exc_info=True)
