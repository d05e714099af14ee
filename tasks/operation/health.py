"""Whether work can flow: can the broker be reached, how deep are the queues, and does anybody drink from them.

Every question is bounded in time, so that a probe gets its answer while the broker hangs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

from celery import Celery
from kombu.exceptions import ChannelError, OperationalError

from ..delivery.channel import LeaseChannel
from ..delivery.inspection import lists_in_hand
from ..enqueue import rows


class BrokerAway(ConnectionError):
    """The broker can't be reached, or doesn't answer. Its address isn't told: it may hold a password."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error

    def __str__(self) -> str:
        return f"the broker doesn't answer ({self.error})"


@contextmanager
def _broker(app: Celery, within: timedelta) -> Iterator[Any]:
    """A connection to the broker; every error of the transport's becomes BrokerAway."""
    connection: Any = app.connection_for_read(connect_timeout=within.total_seconds())
    with connection:
        try:
            connection.ensure_connection(max_retries=1, timeout=within.total_seconds())
            yield connection
        except (OSError, OperationalError, *connection.connection_errors) as error:
            raise BrokerAway(type(error).__name__) from error


def broker_ping(app: Celery, *, within: timedelta = timedelta(seconds=2)) -> None:
    """Open a channel to the broker. Raises BrokerAway."""
    with _broker(app, within) as connection:
        connection.default_channel.close()


def queue_depths(app: Celery, names: Iterable[str], *, within: timedelta = timedelta(seconds=2)) -> dict[str, int]:
    """How many messages wait in each queue, over all its priorities. What is in a worker's hands isn't counted.

    Raises BrokerAway.
    """
    depths = {}
    with _broker(app, within) as connection:
        for name in names:
            with closing(connection.channel()) as channel:
                try:
                    depths[name] = int(channel.queue_declare(queue=name, passive=True).message_count)
                except ChannelError:  # Redis keeps no empty list: an empty queue is one that isn't there
                    depths[name] = 0
    return depths


def queue_consumers(app: Celery, *, within: timedelta = timedelta(seconds=1)) -> dict[str, list[str]] | None:
    """The workers that drink from each queue, by queue: those that answered *within* the time.

    None where nobody can be asked: SQS brings no question to a worker. Raises BrokerAway.
    """
    with _broker(app, timedelta(seconds=2)) as connection:
        if not connection.supports_exchange_type("fanout"):
            return None
        inspect = app.control.inspect(timeout=within.total_seconds(), connection=connection)
        answers = inspect.active_queues() or {}
    consumers: dict[str, list[str]] = {}
    for worker, queues in sorted(answers.items()):
        for queue in queues:
            consumers.setdefault(queue["name"], []).append(worker)
    return consumers


def messages_held(app: Celery, names: Iterable[str], *, within: timedelta = timedelta(seconds=2)) -> dict[str, int]:
    """How many messages the broker holds for each queue: waiting, and in workers' hands where it can tell.

    Redis tells of each message in hand which queue it came from; another broker's are not counted. Raises BrokerAway.
    """
    wanted = list(names)
    held = queue_depths(app, wanted, within=within)
    with _broker(app, within) as connection, closing(connection.channel()) as channel:
        client = getattr(channel, "client", None)
        if client is None:
            return held
        if isinstance(channel, LeaseChannel):
            in_hand = lists_in_hand(client, prefix=channel.global_keyprefix)
            return {
                queue: waiting + sum(in_hand[key] for key in channel.lists_of(queue)) for queue, waiting in held.items()
            }
        for _, entry in client.hscan_iter(channel.unacked_key, count=1000):
            try:
                queue = json.loads(entry)[2]
            except (ValueError, IndexError, TypeError):
                continue
            if queue in held:
                held[queue] += 1
    return held


def outbox_lag() -> timedelta:
    """How long the longest waiting message of the outbox has been due; zero when none waits."""
    with rows.cursor() as cursor:
        cursor.execute("SELECT coalesce(now() - min(due_at), interval '0') FROM tasks_outbox WHERE state = 'queued'")
        lag: timedelta = cursor.fetchone()[0]
    return max(lag, timedelta(0))
