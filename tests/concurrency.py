"""Doing things at the same moment, each on a database connection of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, BoundedSemaphore
from typing import TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

T = TypeVar("T")

# A hundred that connect together would take each other longer than the time-out of a connection allows.
CONNECTING = 10


def at_once(times: int, call: Callable[[], T]) -> list[T | Exception]:
    """Call it so often in as many threads, connected and let go together; return what each returned or raised."""
    start, connecting = Barrier(times), BoundedSemaphore(CONNECTING)

    def one() -> T | Exception:
        try:
            with connecting:
                connection.ensure_connection()
            start.wait(timeout=60)
            return call()
        except Exception as error:  # noqa: BLE001 -- the test looks at it
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(times) as pool:
        return [future.result() for future in [pool.submit(one) for _ in range(times)]]


class Connections:
    """What threads that do little have for a connection, one after the other: making one costs more than they do."""

    def __init__(self) -> None:
        self._spare: list[BaseDatabaseWrapper] = []

    @contextmanager
    def lent(self) -> Iterator[None]:
        """One for this thread. What is no mere error ends it, as the end of a process does."""
        if self._spare:
            connections[DEFAULT_DB_ALIAS] = self._spare.pop()
        else:
            connection.inc_thread_sharing()
        own = connections[DEFAULT_DB_ALIAS]
        try:
            yield
        except Exception:
            own.close_if_unusable_or_obsolete()
            self._spare.append(own)
            raise
        except BaseException:
            own.close()
            raise
        self._spare.append(own)

    def close(self) -> None:
        """End those that nobody has."""
        while self._spare:
            self._spare.pop().close()
