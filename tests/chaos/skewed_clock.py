"""`python -m tests.chaos.skewed_clock SECONDS CELERY-ARGUMENTS…`: Celery with a wall clock that is so much ahead.

`time.time` and `datetime.now` are shifted before anything else is imported. The monotonic clock stays, as it does on a
machine whose wall clock is wrong.
"""

from __future__ import annotations

import datetime as dt
import sys
import time

_REAL = dt.datetime
_real_time = time.time


class _ByAnyClock(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _REAL)


def shift(seconds: float) -> None:
    """Put this process's wall clock *seconds* ahead; behind, where negative."""
    by = dt.timedelta(seconds=seconds)

    class Skewed(_REAL, metaclass=_ByAnyClock):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Skewed:
            there = _REAL.now(tz) + by
            return cls.combine(there.date(), there.timetz())

        @classmethod
        def utcnow(cls) -> Skewed:
            return cls.now(dt.UTC).replace(tzinfo=None)

    time.time = lambda: _real_time() + seconds
    dt.datetime = Skewed  # type: ignore[misc]


if __name__ == "__main__":
    shift(float(sys.argv[1]))
    from celery.__main__ import main

    sys.argv = ["celery", *sys.argv[2:]]
    main()
