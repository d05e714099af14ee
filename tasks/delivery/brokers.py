"""Makes `amqp://`, `amqps://` and `sqs://` the transports of this package, in this process.

Under kombu's own names, so that `BROKER_URL` alone chooses, and a connection that fails over to another URL keeps the
transport: kombu goes by the scheme then, not by the setting `broker_transport`.
"""

from __future__ import annotations

from typing import Any, Final

from kombu import transport

OURS: Final = {
    "amqp": f"{__package__}.rabbitmq:Transport",
    "amqps": f"{__package__}.rabbitmq:SSLTransport",
    "sqs": f"{__package__}.sqs:Transport",
}


def transports_register() -> None:
    """From now on a connection to one of these schemes is ours. Safe to call twice."""
    kombus: Any = transport
    kombus.TRANSPORT_ALIASES.update(OURS)
    for scheme in OURS:
        kombus._transport_cache.pop(scheme, None)  # whoever asked before us was given kombu's
