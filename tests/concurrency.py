"""Doing the same thing at the same moment, each time on a database connection of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BoundedSemaphore
from typing import TypeVar

from django.db import connection, connections

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
