"""Places where a test can let the process die, to show that a crash there is harmless.

`TASKS["CRASH_AT"] = "orders.charge_payment:after_claim:/tmp/once"` kills the whole worker (its process group, by
SIGKILL) the first time that the task gets there; the file is made so that it happens once. Empty, as it is unless a
test sets it, nothing happens.
"""

from __future__ import annotations

import os
import signal

from .conf import conf


def reach(point: str, task: str | None) -> None:
    """Die here, if the settings say so and it hasn't happened before."""
    target = conf().crash_at
    if not target:
        return
    wanted_task, wanted_point, marker = target.split(":", 2)
    if (wanted_task, wanted_point) != (task, point):
        return
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.killpg(os.getpgid(0), signal.SIGKILL)
