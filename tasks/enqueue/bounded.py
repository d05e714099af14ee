"""A Celery app whose publishers give up long before its consumers do.

A consumer waits 10 s for an answer and lets redis-py try again, because giving up costs it what it holds. A publisher
holds a request up, or a worker's slot. With the consumer's patience, one publish to a Redis that hangs took 140 s: each
try of Celery's waits for several of redis-py's, on the old connection and on a new one.
"""

from __future__ import annotations

from typing import Any, Final

from celery import Celery
from celery.result import AsyncResult
from kombu import Connection

from .in_force import current_recorder
from .native_delay import delayable, eta_of

RABBITMQ: Final = ("amqp", "amqps")
# Redis' and Valkey's; other transports don't read them. Celery's own `task_publish_retry_policy` does the retrying.
PUBLISHING: Final[dict[str, Any]] = {"socket_timeout": 2.0, "retry_on_timeout": False}


class BoundedCelery(Celery):
    """Celery, with PUBLISHING over the broker's transport options for whatever writes."""

    def send_task(  # type: ignore[override] # the rest is passed on
        self,
        name: str,
        args: Any = None,
        kwargs: Any = None,
        countdown: float | None = None,
        eta: Any = None,
        **rest: Any,
    ) -> AsyncResult[Any]:
        """Celery's. On RabbitMQ the least that a job can be delayed is a second, and what no queue gets is an error.

        While messages are recorded for the outbox, those of Celery's own tasks are as well: a canvas doesn't hand its
        producer down to all of its parts.
        """
        recorder = current_recorder()
        if recorder is not None:
            if countdown or eta or not getattr(rest.get("producer"), "records", False):
                rest["producer"] = recorder.due(eta_of(self, countdown, eta))
            return super().send_task(name, args, kwargs, **rest)
        if str(self.conf.broker_url or "").partition("://")[0] in RABBITMQ:
            rest.setdefault("mandatory", True)
            if countdown or eta:
                countdown, eta = delayable(self, countdown, eta)
        return super().send_task(name, args, kwargs, countdown=countdown, eta=eta, **rest)

    def connection_for_write(self, url: str | None = None, **options: Any) -> Connection:
        """Celery's; options that are given explicitly win."""
        transport_options = {**PUBLISHING, **(options.pop("transport_options", None) or {})}
        return super().connection_for_write(url, transport_options=transport_options, **options)
