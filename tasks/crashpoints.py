"""Places where a test can let the process die, to show that a crash there is harmless.

`TASKS["CRASH_AT"] = "orders.charge_payment:after_claim,relay:after_send@/tmp/markers"` kills the process group, by
SIGKILL, the first time that each of these points is reached; a file in the directory makes it once. Empty, as it is
unless a test sets it, nothing happens.
"""

from __future__ import annotations

import os
import signal
from functools import lru_cache
from pathlib import Path

from .conf import conf


def reach(point: str, who: str | None) -> None:
    """Die here, if the settings say so and it hasn't happened before. *who*: the task's name, or the process's."""
    target = conf().crash_at
    if not target:
        return
    points, directory = _parsed(target)
    name = f"{who}:{point}"
    if name not in points:
        return
    try:
        os.close(os.open(directory / name, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.killpg(os.getpgid(0), signal.SIGKILL)


@lru_cache(maxsize=1)
def _parsed(target: str) -> tuple[frozenset[str], Path]:
    points, _, directory = target.partition("@")
    return frozenset(points.split(",")), Path(directory)
