"""Queues by class of service, and the urgency of a message inside its queue.

A class says how long a job may wait, not whose it is: `critical` is money and people waiting, `media` is work that
is heavy on CPU and must not hold up anybody else.
"""

from __future__ import annotations

from typing import Final

CRITICAL: Final = "critical"
HIGH: Final = "high"
DEFAULT: Final = "default"
LOW: Final = "low"
MEDIA: Final = "media"

QUEUES: Final = (CRITICAL, HIGH, DEFAULT, LOW, MEDIA)

# Which worker drinks from which queues, in order. One worker a class, so that no class starves another.
WORKERS: Final[dict[str, tuple[str, ...]]] = {
    "critical": (CRITICAL,),
    "default": (HIGH, DEFAULT),
    "low": (LOW,),
    "media": (MEDIA,),
}

# How urgent a message is inside its queue: the lower, the sooner. Each broker counts in its own way, and the transport
# translates (`tasks.topology`).
PRIORITY_STEPS: Final = (0, 3, 6, 9)
URGENT: Final = 0
NORMAL: Final = 3
PATIENT: Final = 6
BULK: Final = 9
