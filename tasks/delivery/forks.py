"""Threads of a worker's main process, and the pool processes that it forks beside them.

A child has a copy of every lock and nobody to free those that another thread held. One forked while a thread makes its
first connection to PostgreSQL waits for ever at its own, on a lock of OpenSSL; an import, or anything else that a
library guards by a lock, does the same. So a thread that works beside the event loop does it inside a `ForkGate`, and a
fork waits until it is through.
"""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from typing import Final
from weakref import WeakSet

FORK_WAITS: Final = timedelta(seconds=2)
"""At most, for a server that doesn't answer: the event loop stands still meanwhile. Then the child takes its chance."""


class ForkGate:
    """A context manager for what a thread does; the process isn't forked inside it. It may be entered in itself."""

    def __init__(self) -> None:
        self.reopen()
        _gates.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def close(self) -> None:
        """Wait until the thread is out, and keep it out."""
        self._is_closed = self._lock.acquire(timeout=FORK_WAITS.total_seconds())

    def open(self) -> None:
        """Let it in again."""
        if self._is_closed:
            self._is_closed = False
            self._lock.release()

    def reopen(self) -> None:
        """For a child, which doesn't have the thread."""
        self._lock, self._is_closed = threading.RLock(), False


_gates: Final[WeakSet[ForkGate]] = WeakSet()


def _close() -> None:
    for gate in list(_gates):
        gate.close()


def _open() -> None:
    for gate in list(_gates):
        gate.open()


def _reopen() -> None:
    for gate in list(_gates):
        gate.reopen()


os.register_at_fork(before=_close, after_in_parent=_open, after_in_child=_reopen)
