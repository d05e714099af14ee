"""Takes back what Celery does to a message with an ETA where queues are RabbitMQ's quorum queues.

Celery sends such a message through a cascade of exchanges which hold it; its routing key then begins with the seconds
in binary, `0.0.…1.0.default`. A message for the outbox waits in its table instead, under the name of its queue: where
the broker is another by then, or the time is moved, it is still right. A message that went through the cascade keeps
the long key, so a retry of it is set right here as well.
"""

from __future__ import annotations

import re
from typing import Final

from kombu.transport.native_delayed_delivery import CELERY_DELAYED_DELIVERY_EXCHANGE, MAX_NUMBER_OF_BITS_TO_USE

_SECONDS: Final = re.compile(rf"(?:[01]\.){{{MAX_NUMBER_OF_BITS_TO_USE}}}")


def undelayed(exchange: str, routing_key: str) -> tuple[str, str]:
    """Exchange and routing key as they were before Celery delayed the message. A queue's exchange has its name."""
    seconds = _SECONDS.match(routing_key)
    key = routing_key[seconds.end() :] if seconds else routing_key
    if seconds or exchange == CELERY_DELAYED_DELIVERY_EXCHANGE:
        return key, key
    return exchange, key
