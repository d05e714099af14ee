"""Keeps Celery's delayed delivery by RabbitMQ, for quorum queues, to where it belongs.

Celery sends a message with an ETA through a cascade of exchanges which hold it; its routing key then begins with the
seconds in binary, `0.0.…1.0.default`.

- What goes to the outbox waits in its table instead (`eta_of`, `recording`). A message that went through the cascade
  keeps the long key, so a retry of it is set right (`undelayed`): for another broker, too.
- What goes to the broker at once is delayed so, but by whole seconds of one and more: for half a second Celery raises a
  ValueError, so that becomes one second (`delayable`).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Final

from celery.utils.time import maybe_make_aware
from django.utils import timezone
from kombu.transport.native_delayed_delivery import CELERY_DELAYED_DELIVERY_EXCHANGE, MAX_NUMBER_OF_BITS_TO_USE

_SECONDS: Final = re.compile(rf"(?:[01]\.){{{MAX_NUMBER_OF_BITS_TO_USE}}}")


def undelayed(exchange: str, routing_key: str) -> tuple[str, str]:
    """Exchange and routing key as they were before Celery delayed the message. A queue's exchange has its name."""
    seconds = _SECONDS.match(routing_key)
    key = routing_key[seconds.end() :] if seconds else routing_key
    if seconds or exchange == CELERY_DELAYED_DELIVERY_EXCHANGE:
        return key, key
    return exchange, key


def eta_of(app: Any, countdown: float | None, eta: datetime | str | None) -> datetime | None:
    """When a call with these options of `apply_async` is due, as Celery reads them; None for now."""
    if countdown is not None:
        return timezone.now() + timedelta(seconds=countdown)
    if isinstance(eta, str):
        eta = datetime.fromisoformat(eta)
    return None if eta is None else maybe_make_aware(eta, tz=app.timezone)


def delayable(app: Any, countdown: float | None, eta: datetime | str | None) -> tuple[float | None, Any]:
    """The same options, but for a time that is less than a second away: then a countdown of one second."""
    due_at = eta_of(app, countdown, eta)
    if due_at is not None and timedelta(0) < due_at - timezone.now() < timedelta(seconds=1):
        return 1, None
    return countdown, eta
