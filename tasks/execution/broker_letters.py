"""Makes dead letters of what RabbitMQ or SQS have given up by themselves. Runs in the relay's process.

    the broker's queue of dead letters ──taken──▶ letter, committed ──▶ acknowledged

Dies between the two: the broker hands it out again, and its letter is there already. Two relays at once share them. One
that can't be buried goes back, and keeps no other from its letter.

RabbitMQ keeps a dead letter in the queue that it is of until there is a queue to put it in; so that is declared here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from celery import Celery
from django.db import InterfaceError, OperationalError, transaction
from kombu import Exchange, Queue

from ..enqueue import rows
from ..enqueue.relay import BrokerAway
from ..failure.letter_models import JobAttempt
from ..failure.letters import attempt_write
from ..failure.remains import Cause, Remains
from ..topology import Broker, broker_of, dead_letter_shape
from .deaths import Reason
from .messages import message_die, remains_of

log = logging.getLogger(__name__)

BATCH: Final = 100

# What RabbitMQ's `x-death` gives as the reason. SQS tells nothing; what it gives up was received too often, above all.
_CAUSES: Final = {
    "delivery_limit": (Reason.WORKER_LOST, "the broker delivered it as often as it may, and no worker was through"),
    "rejected": (Reason.REJECTED, "a worker rejected it"),
    "expired": (Reason.EXPIRED, "it waited in its queue for longer than the broker keeps messages there"),
}
_GIVEN_UP: Final = (Reason.WORKER_LOST, "the broker gave it up: delivered too often, or rejected")


class BrokerLetters:
    """Empties the queue of dead letters of the broker that *app* is configured for, if it has one."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._connection: Any = None
        self._queue: Any = None

    def __call__(self) -> int:
        """Take at most a batch; return how many. Raises BrokerAway."""
        url = str(self._app.conf.broker_url or "memory://")
        if url.partition("://")[0].partition("+")[0] not in ("amqp", "amqps", "sqs"):
            return 0
        try:
            return self._empty(broker_of(url))
        except Exception as error:
            lost = self._connection.connection_errors if self._connection is not None else ()
            self.close()
            if isinstance(error, lost):
                raise BrokerAway(type(error).__name__) from error
            raise

    def close(self) -> None:
        """Drop the connection; the next call makes a new one."""
        if self._connection is not None:
            self._connection.release()
            self._connection = self._queue = None

    def _empty(self, broker: Broker) -> int:
        if self._connection is None:
            options = {**self._app.conf.broker_transport_options, "wait_time_seconds": 0}
            self._connection = self._app.connection_for_write(transport_options=options)
            self._connection.ensure_connection(max_retries=1, timeout=5)
            self._queue = _queue_of(broker)(self._connection.default_channel)
            self._queue.declare()
        left: list[Exception] = []
        count = 0
        while count < BATCH and (message := self._queue.get(no_ack=False)) is not None:
            count += 1
            try:
                with transaction.atomic(using=rows.alias()):
                    _bury(message)
            except (OperationalError, InterfaceError):
                raise
            except Exception as error:  # not acknowledged: it goes back when the connection is closed
                log.exception("a message stays in the broker's queue of dead letters")
                left.append(error)
            else:
                message.ack()
        if left:
            raise left[0]
        return count


def _queue_of(broker: Broker) -> Queue:
    shape = dead_letter_shape(broker)
    exchange = Exchange(shape.name, type=shape.exchange_type)
    return Queue(shape.name, exchange, routing_key=shape.name, queue_arguments=shape.arguments or None)


def _bury(message: Any) -> None:
    death = _last_death(message)
    reason, words = _CAUSES.get(str(death.get("reason")), _GIVEN_UP)
    cause = Cause(reason=reason, error_type="GivenUpByBroker", error_message=words)
    remains = _as_published(remains_of(message), death)
    if message_die(remains, cause):
        attempt_write(remains, cause, JobAttempt.Outcome.FAILED, begun_at=None, worker="")


def _last_death(message: Any) -> Mapping[str, Any]:
    headers = message.headers if isinstance(message.headers, Mapping) else {}
    deaths = headers.get("x-death")
    return deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], Mapping) else {}


def _as_published(remains: Remains, death: Mapping[str, Any]) -> Remains:
    """*remains* as of the message before the broker put it among its dead letters."""
    headers = {name: value for name, value in remains.headers.items() if "death" not in name.lower()}
    if not death:
        return replace(remains, headers=headers)
    keys = death.get("routing-keys") or [remains.queue]
    return replace(remains, headers=headers, exchange=str(death.get("exchange") or ""), queue=str(keys[0]))
