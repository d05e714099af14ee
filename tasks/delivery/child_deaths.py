"""A pool process that died is noticed at once.

Its parent hears of the end by a pipe that closes, and asks the kernel for the exit code; the kernel closes the pipes
first, though, and has an exit code a moment later. Celery asks once, and if it was too early, again within five
seconds. Here it is asked again until the kernel knows; what the process ran goes back as soon.
"""

from __future__ import annotations

from typing import Any, Final

ASK_AGAIN_AFTER: Final = 0.005
"""Seconds; twice as long each time."""
LEFT_TO_CELERY: Final = 1.0
"""From so long a pause on, Celery's own timer is as good: perhaps the process closed its pipe and lives."""


def deaths_seen_at_once(pool: Any) -> None:
    """Make *pool*, an AsynPool, look again for a process whose pipe was closed."""
    pool_looks = pool.__class__._event_process_exit

    def look(hub: Any, proc: Any, pause: float = ASK_AGAIN_AFTER) -> None:
        pool_looks(pool, hub, proc)
        if proc in pool._pool and pause < LEFT_TO_CELERY:
            hub.call_later(pause, look, hub, proc, pause * 2)

    pool._event_process_exit = look
