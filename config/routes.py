"""Which queue a task goes to: by its name, the most telling pattern first.

The class of service is decided here and nowhere else, so that it can be read in one place. A name that no pattern
matches goes to the default queue.
"""

from __future__ import annotations

from typing import Final

from config.queues import BULK, CRITICAL, DEFAULT, HIGH, LOW, MEDIA, NORMAL, PATIENT, URGENT

# (pattern of the wire name, queue, urgency inside the queue)
ROUTES: Final[tuple[tuple[str, str, int], ...]] = (
    ("orders.charge_payment", CRITICAL, URGENT),
    ("orders.refund_payment", CRITICAL, NORMAL),
    ("orders.release_stock", HIGH, URGENT),
    ("orders.send_confirmation", LOW, URGENT),
    ("orders.*", DEFAULT, NORMAL),
    ("images.*", MEDIA, NORMAL),
    ("notifications.send_newsletter*", LOW, BULK),
    ("notifications.*", LOW, NORMAL),
    ("reports.*", LOW, PATIENT),
    ("integrations.*", LOW, NORMAL),
    ("ops.*", LOW, PATIENT),
    ("tasks.send_unfinished_again", HIGH, NORMAL),
    ("tasks.redrive_letters", HIGH, NORMAL),
    ("tasks.discard_letters", HIGH, NORMAL),
    ("tasks.*", LOW, PATIENT),
)
