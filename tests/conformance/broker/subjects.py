"""The brokers under test, each with what a test needs to know of its server."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

import kombu
from kombu import Connection, Exchange

from config.queues import PRIORITY_STEPS
from tasks.delivery.brokers import transports_register
from tasks.topology import Broker, broker_of, connection_options, dead_letter_shape, queue_shape

transports_register()

# Short, so that what comes after it comes soon; the project's own are in config.limits.
VISIBILITY = timedelta(seconds=2)
LEASE = timedelta(seconds=3)
DELIVERY_LIMIT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A broker as the project configures it.

    name: as in the table. url: where it is; a subject's queues are nobody else's. options: over the project's own.
    """

    name: str
    url: str
    options: dict[str, Any] = field(default_factory=dict)
    delivery_limit: int = DELIVERY_LIMIT

    def transport_options(self) -> dict[str, Any]:
        """Celery's `broker_transport_options`."""
        project = connection_options(
            broker_of(self.url),
            steps=PRIORITY_STEPS,
            visibility_timeout=VISIBILITY,
            delivery_limit=self.delivery_limit,
            queue_prefix="suite-",
        )
        return {**project, **self.options}

    def connect(self) -> Any:  # a Connection; kombu's stubs know no transport's own channels
        """A new connection, which asks SQS often instead of waiting there.

        With Celery's own transport it gives nothing that is held to another, however slow the test is: workers do.
        """
        options = {**self.transport_options(), "wait_time_seconds": 0, "polling_interval": 0.02}
        if broker_of(self.url) is Broker.REDIS:
            options["visibility_timeout"] = 3600
        return Connection(self.url, transport_options=options, connect_timeout=20)

    def queue(self, name: str = "") -> Any:
        """A queue by the project's topology, of a name that nobody else has unless one is given."""
        shape = queue_shape(
            broker_of(self.url), name or f"q-{uuid.uuid4().hex[:12]}", delivery_limit=self.delivery_limit
        )
        return kombu.Queue(
            shape.name,
            Exchange(shape.name, type=shape.exchange_type),
            routing_key=shape.name,
            queue_arguments=shape.arguments or None,
        )

    def dead_letters(self) -> Any:
        """The queue of dead letters, for brokers that have one."""
        shape = dead_letter_shape(broker_of(self.url))
        exchange = Exchange(shape.name, type=shape.exchange_type)
        return kombu.Queue(shape.name, exchange, routing_key=shape.name, queue_arguments=shape.arguments or None)

    def dumped(self) -> str:
        """As text, for another process."""
        return json.dumps(asdict(self))

    @classmethod
    def loaded(cls, text: str) -> Subject:
        """Out of what `dumped` made."""
        return cls(**json.loads(text))
