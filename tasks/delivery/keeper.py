"""The thread that renews every lease of this process, in one call, whatever the event loop is doing.

It has a connection of its own. It goes on while a task holds the event loop, while the worker drains and while the
worker is reconnecting. In the same call it gives back what dead owners held, and brings what has become due. What was
acknowledged and not told within a moment, because the event loop is busy or gone, it tells as well.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from kombu.log import get_logger
from redis.exceptions import RedisError

from .forks import ForkGate
from .lease import Lease
from .names import EXPIRED, HEARD, HELD, LATER, LATER_MESSAGES, OWNERS, WAITING
from .scripts import ScriptClient
from .threads import thread_start

if TYPE_CHECKING:
    from redis import Redis

logger: Final = get_logger(__name__)

MOVED_AT_ONCE: Final = 200
"""Messages of dead owners that one call gives back at most."""
TOLD_WITHIN: Final = 0.2
"""Seconds after which the thread tells the server what nobody else has told it."""
NOTHING_TO_KEEP: Final = 3600.0
"""Seconds to sleep in a process that holds nothing, like one that has only published since."""
STOPS_WITHIN: Final = 2.0
"""Seconds to wait for the thread when the process ends. It may be asking a server that doesn't answer."""
AFTER_FAILURE: Final = 0.5
"""Seconds until the next attempt when the server doesn't answer; less with a short lease."""


class Keeper:
    """Keeps the leases of one process on one server. Its thread begins with the first and ends with the process."""

    def __init__(self, own: Redis, others: Redis, *, prefix: str, length: timedelta, deaths_max: int) -> None:
        """*own* is for the thread alone: under gevent no other thread can use a connection that was made in it."""
        self.prefix, self.length, self.deaths_max = prefix, length, deaths_max
        self._own, self._others = ScriptClient(own), ScriptClient(others)
        self._ident = 0
        self._leases: set[Lease] = set()
        self._wake = threading.Event()
        self._talking = threading.Lock()
        self._gate = ForkGate()
        self._starting = threading.Lock()
        self._started = self._stopping = False
        self._busy = self._joined = False
        self._pid = os.getpid()

    @property
    def _scripts(self) -> ScriptClient:
        return self._own if threading.get_ident() == self._ident else self._others

    def add(self, lease: Lease) -> None:
        """Renew this one from now on."""
        self._leases.add(lease)
        self._joined = True
        with self._starting:
            if not self._started:
                self._started = True
                try:
                    thread_start(self.run, self._ended, "lease-keeper")
                except RuntimeError:
                    self._started = False
                    raise
        self._wake.set()

    def lease_after(self, last: Lease | None) -> Lease:
        """What to claim under: *last* as long as it is good, else a new one."""
        if last is not None and not last.begun and not last.usable:
            last.retire()  # nothing was heard for a lease's length: what it began under may have been given back
        if last is None or last.lost or last.retired:
            last = Lease(self.length)
            self.add(last)
        return last

    def notice(self) -> None:
        """Something is to be told. Cheap: the thread is woken only out of a long sleep."""
        if not self._busy:
            self._busy = True
            self._wake.set()

    def held_by_closed_channels(self) -> int:
        """How many messages are still in hand that came by channels which are closed."""
        return sum(len(lease.held) for lease in tuple(self._leases) if lease.retired)

    def run(self) -> None:
        """Renew, tell, sleep; until `stop`."""
        self._ident = threading.get_ident()
        renew_at, is_away = 0.0, False
        while not self._stopping:
            self._busy = False
            if self._joined:
                self._joined, renew_at = False, 0.0
            try:
                with self._gate:
                    if time.monotonic() >= renew_at:
                        renew_at = time.monotonic() + self._renew()
                    self._tell()
                is_away = False
            except Exception as error:  # if this thread ended, all that is held would run twice
                if not is_away:  # the worker's own attempts to reconnect are in its log
                    unforeseen = not isinstance(error, RedisError | OSError)
                    said = "leases can't be renewed now, trying again and again: %s"
                    logger.warning(said, type(error).__name__, exc_info=unforeseen)
                is_away = True
                renew_at = time.monotonic() + min(AFTER_FAILURE, self.length.total_seconds() / 40)
            if not self._busy:
                self._wake.wait(max(0.0, renew_at - time.monotonic()))
            self._wake.clear()
            if self._busy and not self._stopping:  # most often the event loop tells it first
                time.sleep(max(0.0, min(TOLD_WITHIN, renew_at - time.monotonic())))
        self._own.client.connection_pool.disconnect()

    def stop(self) -> None:
        """End the thread before the process ends, and wait for it a moment. The next lease starts another."""
        with self._starting:
            self._stopping = True
            self._wake.set()
            deadline = time.monotonic() + STOPS_WITHIN
            while self._started and time.monotonic() < deadline:
                time.sleep(0.005)
            self._stopping = False

    def _ended(self) -> None:
        self._started, self._ident = False, 0

    def release(self, lease: Lease) -> None:
        """Tell what is to be told, then give back all that is held. Raises redis-py's errors."""
        with self._talking:
            self._leases.discard(lease)
            if lease.lost or not lease.asked:
                return
            while self._tell_of(lease):
                pass
            while self._call("end", [lease])[0]:
                pass
            lease.lose()

    def release_all(self) -> None:
        """The process is ending, and nothing that it holds runs any more."""
        if os.getpid() != self._pid:
            return
        for lease in list(self._leases):
            try:
                self.release(lease)
            except (RedisError, OSError) as error:
                if not lease.held:
                    continue
                logger.warning(
                    "%d messages could not be given back (%s); others get them when the lease has run out, in %s",
                    len(lease.held),
                    type(error).__name__,
                    self.length,
                )

    def _renew(self) -> float:
        """Renew all; return in how many seconds to come again."""
        if not self._leases:
            return NOTHING_TO_KEEP
        with self._talking:
            asked_at = time.monotonic()
            leases = [lease for lease in tuple(self._leases) if lease.begun]  # others may join meanwhile
            more, until_next, *lost = self._call("renew", leases)
            gone = {owner.decode() for owner in lost}
            for lease in leases:
                if lease.owner in gone:
                    self.lost(lease)
                else:
                    lease.renewed(asked_at)
        if more:
            return 0.0
        quarter = self.length.total_seconds() / 4
        return quarter if until_next < 0 else min(quarter, until_next / 1000 + 0.01)

    def lost(self, lease: Lease) -> None:
        """The server has said so: forget what is held under it."""
        if lease.lost:
            return
        self._leases.discard(lease)
        dropped = lease.lose()
        logger.error(
            "a lease was lost: this worker was frozen or cut off for longer than %s; "
            "%d messages are somebody else's now, and what becomes of them here is ignored",
            self.length,
            dropped,
        )

    def _tell(self) -> None:
        """Tell what nobody else has told; end what is over."""
        for lease in list(self._leases):
            with self._talking:
                self._tell_of(lease)
            if lease.acks or lease.chores:  # it was more than is told at once
                self.notice()
            if lease.over:
                self.release(lease)

    def _tell_of(self, lease: Lease) -> bool:
        acks, chores = lease.take_acks(), lease.take_chores()
        if not (acks or chores):
            return False
        words: list[Any] = [self.prefix, lease.owner, self.deaths_max]
        for number, key in acks:
            words += ["ack", number, key or "-"]
        for chore in chores:
            words += chore
        try:
            keys = [self.prefix + OWNERS, self.prefix + HELD + lease.owner, self.prefix + WAITING + lease.owner]
            alive = self._scripts.run("settle", keys, words)
        except BaseException:
            lease.put_back(acks, chores)
            raise
        if alive < 0:
            self.lost(lease)
        elif lease.told(chores):
            self.notice()
        return True

    def _call(self, what: str, leases: list[Lease]) -> list[Any]:
        keys = [self.prefix + name for name in (OWNERS, EXPIRED, LATER, LATER_MESSAGES, HEARD)]
        length = int(self.length.total_seconds() * 1000)
        words = [self.prefix, length, MOVED_AT_ONCE, self.deaths_max, what, *(lease.owner for lease in leases)]
        answer: list[Any] = self._scripts.run("renew", keys, words)
        return answer


_keepers: dict[Any, Keeper] = {}
_making = threading.Lock()


def keeper_of(key: Any, make: Any) -> Keeper:
    """This process's keeper for the server and the options that *key* stands for; *make* makes it."""
    with _making:
        keeper = _keepers.get(key)
        if keeper is None:
            keeper = _keepers[key] = make()
        return keeper


def release_all() -> None:
    """Give back all that this process holds, and renew nothing any more."""
    for keeper in list(_keepers.values()):
        keeper.release_all()
        keeper.stop()


def _forget() -> None:
    """A child process holds nothing, and has no thread: what it has of its parent's is not its own."""
    global _making  # noqa: PLW0603 # it may have been locked when the process was forked
    _making = threading.Lock()
    _keepers.clear()


atexit.register(release_all)
os.register_at_fork(after_in_child=_forget)
