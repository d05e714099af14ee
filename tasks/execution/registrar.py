"""The registrar: a thread of the worker's main process that writes down what only that process has seen.

The main process turns an event loop; a database that answers slowly must not hold it up. So it hands over what is to be
written, and what is to be done after the commit: acknowledging the message, above all.

    noticed ──commit──▶ written ──▶ acknowledged
       ├── the database is away: tried again, as long as it takes; the worker dies meanwhile: the broker delivers again
       └── the commit's answer is lost: PostgreSQL is asked what became of it, so that no death is counted twice

No child is forked while it writes (see `forks`). What kills a child gives the thread work and calls for a new child in
the same moment.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from queue import SimpleQueue
from typing import Any, Final

from django.db import InterfaceError, OperationalError, connections, transaction

from ..delivery.forks import ForkGate
from ..enqueue import rows

log = logging.getLogger(__name__)

FIRST_PAUSE: Final = timedelta(milliseconds=200)
LONGEST_PAUSE: Final = timedelta(seconds=5)
TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """*what*, for the log; *write*, in a transaction; *then*, after its commit, with what *write* returned."""

    what: str
    write: Callable[[], Any]
    then: Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class _Try:
    """A transaction that was to be committed, and what was written in it."""

    number: str | None
    written: Any

    def is_committed(self) -> bool:
        """Whether it was, though the answer was lost. Raises OperationalError while the server is still at it."""
        status = rows.became_of(self.number) if self.number else None
        if status == "in progress":
            raise OperationalError("the transaction before is still in progress")
        return status == "committed"


class Registrar:
    """Writes one entry after the other. Its thread starts with the first one."""

    def __init__(self) -> None:
        self._entries: SimpleQueue[Entry] = SimpleQueue()
        self._lock = threading.RLock()  # `put` may be called by a signal handler, in the middle of a `put`
        self._thread: threading.Thread | None = None
        self._left = 0
        self._done = threading.Condition(self._lock)
        self._gate = ForkGate()

    def put(self, what: str, write: Callable[[], Any], then: Callable[[Any], object]) -> None:
        """Write, commit, then do *then*. Returns at once."""
        with self._lock:
            self._left += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="tasks-registrar", daemon=True)
                self._thread.start()
        self._entries.put(Entry(what, write, then))

    def flush(self, within: timedelta) -> bool:
        """Wait until all is written that was put so far. False when the time is over first."""
        with self._done:
            return self._done.wait_for(lambda: self._left == 0, within.total_seconds())

    def _run(self) -> None:
        while True:
            entry = self._entries.get()
            try:
                self._carry_out(entry)
            finally:
                with self._done:
                    self._left -= 1
                    self._done.notify_all()
                    is_idle = self._left == 0
                if is_idle:  # no connection to be inherited by the next child
                    with self._gate:
                        connections[rows.alias()].close()

    def _carry_out(self, entry: Entry) -> None:
        try:
            written = self._written(entry)
            with self._gate:
                entry.then(written)
        except Exception:
            # Whatever it was, the message is not acknowledged: it comes again.
            log.exception("%s could not be written down; its message stays with the broker", entry.what)

    def _written(self, entry: Entry) -> Any:
        pause, mistakes = FIRST_PAUSE, 0
        tried: _Try | None = None
        while True:
            try:
                with self._gate:
                    if tried is not None and tried.is_committed():
                        return tried.written
                    with transaction.atomic(using=rows.alias()):
                        written = entry.write()
                        tried = _Try(rows.transaction_number(), written)
                    return written
            except (OperationalError, InterfaceError) as error:
                log.warning("%s is not written down yet: %s", entry.what, type(error).__name__)
            except Exception:
                mistakes += 1
                if mistakes == TRIES:
                    raise
                log.exception("%s could not be written down", entry.what)
            with self._gate:
                connections[rows.alias()].close()
            time.sleep(pause.total_seconds())
            pause = min(pause * 2, LONGEST_PAUSE)


registrar: Final = Registrar()
