"""The conversation of one consuming channel with the server, on one connection, without waiting for answers.

At most one claim is under way. It carries the acknowledgements that have come together; what else is to be told goes
out just in front of it. When the server has less than there was room for, the line is *armed*: the server tells it of
the next push to any of its lists (CLIENT TRACKING), and until then nothing is sent but a rare look, in case that word
was lost.

If the connection breaks, what was told and not confirmed is put back to be told again, here or by the keeper.
"""

from __future__ import annotations

import struct
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from ssl import SSLSocket
from threading import RLock
from typing import Any, Final

from redis._parsers.socket import SocketBuffer
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from .lease import Lease
from .message import Counts
from .names import HELD, WAITING
from .scripts import scripts_load

LOOK_EVERY: Final = 10.0
"""Seconds between two looks of an idle worker."""
ANSWER_WITHIN: Final = 10.0
"""Seconds after which an answer is taken for lost and the connection for broken."""

_HEAD: Final = struct.Struct(">6I")
_PUSHED: Final = object()


@dataclass(slots=True)
class Claimed:
    """One message of a claim's answer. queue: empty if it isn't consumed any more; place: of the queue among those."""

    lease: Lease
    number: int
    queue: str
    place: int
    counts: Counts
    raw: bytes


@dataclass(slots=True)
class _Sent:
    """Something that the server will answer."""

    lease: Lease
    acks: list[tuple[int, str]]
    chores: list[tuple[str, int, str]]
    order: Order | None
    at: float
    current: bool = True
    """Whether its order is still the one by which the server is asked."""


@dataclass(frozen=True, slots=True)
class Order:
    """Which lists a claim looks at. lists: for each priority each queue. start: place of the queue that is first."""

    queues: tuple[str, ...]
    lists: tuple[bytes, ...]
    quanta: tuple[int, ...]
    start: int


class Line:
    """Sends and reads. Sending may happen in any thread, reading only in the consumer's."""

    def __init__(self, *, prefix: str, deaths_max: int, most_bytes: int) -> None:
        self.prefix, self.deaths_max, self.most_bytes = prefix, deaths_max, most_bytes
        self.armed = False
        self.look_at = 0.0
        self._under_way: deque[_Sent] = deque()
        self._claiming = False
        self._sending = RLock()
        self._scripts: dict[str, bytes] = {}

    @property
    def claiming(self) -> bool:
        """Whether a claim is under way."""
        return self._claiming

    @property
    def awaiting(self) -> bool:
        """Whether the server has still to answer something."""
        return bool(self._under_way)

    @property
    def overdue(self) -> bool:
        """Whether an answer has been waited for in vain."""
        under_way = self._under_way
        return bool(under_way) and time.monotonic() - under_way[0].at > ANSWER_WITHIN

    def disarm(self) -> None:
        """Other lists count from now on. What is under way doesn't look at them, whatever it brings."""
        with self._sending:
            self.armed = False
            for sent in self._under_way:
                sent.current = False

    def greet(self, connection: Any) -> None:
        """A connection has just been made: ask to be told of pushes, and leave the scripts there."""
        self.broken()

        def execute(*words: Any) -> Any:
            connection.send_command(*words, check_health=False)
            return connection.read_response()

        connection._parser.set_invalidation_push_handler(lambda _: _PUSHED)
        execute("CLIENT", "TRACKING", "ON", "NOLOOP")
        self._scripts = scripts_load(execute)

    def broken(self) -> None:
        """The connection is gone: what was told on it may not have been heard."""
        with self._sending:
            while self._under_way:
                sent = self._under_way.pop()
                sent.lease.put_back(sent.acks, sent.chores)
            self.armed = self._claiming = False

    def claim(
        self, connection: Any, lease: Lease, order: Order, room: int, *, waiting: bool, starting: Sequence[int] = ()
    ) -> None:
        """Tell what is to be told, and ask for at most *room* messages. waiting: not all of them will start at once.

        starting: what is about to run, as for `start`.
        """
        with self._sending:
            told = self._starting(lease, starting, time.monotonic()) if starting else b""
            told += self._told(lease)
            acks = lease.take_acks()
            keys, words = self.question(lease, order, room, acks, waiting=waiting)
            self.armed, self._claiming = False, True
            now = time.monotonic()
            self.look_at = now + LOOK_EVERY
            self._under_way.append(_Sent(lease, acks, [], order, now))
            self._send(connection, told + self._script("claim", keys, words))

    def question(
        self, lease: Lease, order: Order, room: int, acks: list[tuple[int, str]], *, waiting: bool
    ) -> tuple[list[Any], list[Any]]:
        """Keys and arguments of a claim (see claim.lua)."""
        lease.asked = True
        words: list[Any] = [
            self.prefix,
            lease.owner,
            int(lease.length.total_seconds() * 1000),
            "-" if lease.begun else "begin",
            room,
            lease.known,
            self.most_bytes,
            "1" if waiting else "0",
            len(order.quanta),
            order.start,
            *order.quanta,
            *(f"{number} {key}" if key else number for number, key in acks),
        ]
        return [*self._keys(lease), *order.lists], words

    def start(self, connection: Any, lease: Lease, numbers: Sequence[int]) -> None:
        """Tell that these are about to run, and what is done, in as little as can be said: nearly every job needs it.

        Unlike the scripts it asks for no lease. When one is over neither key is left, so nothing is done.
        """
        with self._sending:
            now = time.monotonic()
            said, acks = self._starting(lease, numbers, now), lease.take_uncounted_acks()
            if acks:
                said += _removed(b"HDEL", f"{self.prefix}{HELD}{lease.owner}", [number for number, _ in acks])
                self._under_way.append(_Sent(lease, acks, [], None, now))
            self._send(connection, said)

    def _starting(self, lease: Lease, numbers: Sequence[int], now: float) -> bytes:
        self._under_way.append(_Sent(lease, [], [("started", number, "-") for number in numbers], None, now))
        return _removed(b"SREM", f"{self.prefix}{WAITING}{lease.owner}", numbers)

    def _told(self, lease: Lease) -> bytes:
        """The command that tells what is not an acknowledgement, if there is any; its answer is expected then."""
        chores = lease.take_chores()
        if not chores or not lease.asked:
            return b""
        self._under_way.append(_Sent(lease, [], chores, None, time.monotonic()))
        words: list[Any] = [self.prefix, lease.owner, self.deaths_max]
        for chore in chores:
            words += chore
        return self._script("settle", self._keys(lease), words)

    def read(self, connection: Any) -> list[Claimed]:
        """Read one answer, or the word that something was pushed. Raises LeaseGone and redis-py's errors."""
        try:
            answer = connection.read_response(disable_decoding=True, push_request=True)
        except ResponseError as refusal:
            answer = refusal
        if answer is _PUSHED:
            self.armed = False
            return []
        if not self._under_way:
            raise RedisConnectionError("the server said something that nobody asked for")
        sent = self._under_way.popleft()
        if sent.order is not None:
            self._claiming = False
        if isinstance(answer, ResponseError):
            sent.lease.put_back(sent.acks, sent.chores)
            # Flushed scripts, a replica that was the primary, a full disk: a new connection may do better, and a worker
            # makes one again and again, where it would end at any other error.
            raise RedisConnectionError(f"the server refuses: {answer}") from answer
        if sent.order is None:
            if answer < 0:
                raise LeaseGone(sent.lease.owner)
            return []
        claimed = self.claimed(sent.lease, sent.order, sent.at, answer)
        self.armed = answer[0] == 0 and sent.current
        return claimed

    def buffered(self, connection: Any) -> bool:
        """Whether more has been read from the socket than was asked for: that doesn't make it readable once more."""
        buffer = getattr(connection._parser, "_buffer", None)
        if not isinstance(buffer, SocketBuffer) or isinstance(connection._sock, SSLSocket):  # they keep bytes elsewhere
            return self.pending(connection)
        return bool(buffer.unread_bytes())

    def pending(self, connection: Any) -> bool:
        """Whether more can be read without waiting. Bytes that were read already don't make a socket readable."""
        return bool(connection.can_read(timeout=0))

    def claimed(self, lease: Lease, order: Order, asked_at: float, answer: Sequence[Any]) -> list[Claimed]:
        """The messages in a claim's answer. Raises LeaseGone."""
        if answer[0] < 0:
            raise LeaseGone(lease.owner)
        if not lease.begun:
            lease.renewed(asked_at)
        claimed = []
        for one in answer[1:]:
            number, place, *counts = _HEAD.unpack_from(one)
            at = (place - 1) % len(order.queues) if place else 0
            queue = order.queues[at] if place else ""
            claimed.append(Claimed(lease, number, queue, at, Counts(*counts), one[_HEAD.size :]))
        return claimed

    def _keys(self, lease: Lease) -> list[str]:
        prefix = self.prefix
        return [f"{prefix}tasks.owners", f"{prefix}tasks.held:{lease.owner}", f"{prefix}tasks.waiting:{lease.owner}"]

    def _script(self, script: str, keys: Sequence[Any], words: Sequence[Any]) -> bytes:
        return _packed("EVALSHA", self._scripts[script], len(keys), *keys, *words)

    def _send(self, connection: Any, packed: bytes) -> None:
        """In one write: what is told and what is asked for go together."""
        connection.send_packed_command([packed], check_health=False)


def _packed(*words: Any) -> bytes:
    """A command as the server reads it, in one piece."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        encoded = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(encoded), encoded))
    return b"".join(parts)


def _removed(verb: bytes, key: str, numbers: Sequence[int]) -> bytes:
    """The same of a command of four letters that takes *numbers* out of *key*: nearly every job needs two of those."""
    place, words = key.encode(), [b"%d" % number for number in numbers]
    head = b"*%d\r\n$4\r\n%b\r\n$%d\r\n%b\r\n" % (2 + len(words), verb, len(place), place)
    return head + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])


class LeaseGone(Exception):
    """What was held under this lease is somebody else's."""

    def __init__(self, owner: str) -> None:
        super().__init__(owner)
        self.owner = owner

    def __str__(self) -> str:
        return f"the lease of {self.owner} is over"
