"""Doing the same thing at the same moment, each time on a database connection of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connections

T = TypeVar("T")


def at_once(times: int, call: Callable[[], T]) -> list[T | Exception]:
    """Call it so often in as many threads, all let go together; return what each returned or raised."""
    start = Barrier(times)

    def one() -> T | Exception:
        try:
            start.wait(timeout=30)
            return call()
        except Exception as error:  # noqa: BLE001 -- the test looks at it
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(times) as pool:
        return [future.result() for future in [pool.submit(one) for _ in range(times)]]
