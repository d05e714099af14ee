"""Gives a batch of messages to the broker, and tells what became of each.

All at once, as long as that works. Where it doesn't, one by one over a new connection, which declares the queues
anew; so that each that was taken is known, and is not sent again because of another.

- It can't connect, or declare its queues: nothing was sent.
- The connection is lost: nobody knows how much was taken. The next batch goes one by one, and the message at which
  the connection is lost then is left for later: it may be the reason.
- A message is to blame (`delivery.faults`): it is refused, the others go.
- A message is refused for a reason that may pass: it is left for later, the others go. After some of one queue, with
  none that was taken, its others are not tried.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

from celery import Celery
from kombu import Producer

from ..delivery.faults import Blame, NotTaken, blame, told
from ..delivery.routing import PartlyUnroutable

TRIES: Final = 3
"""How many messages of a queue must be refused, and none taken, before its others are left alone."""


Refusal: TypeAlias = tuple[int, str, str]
"""A row that can't be sent, its task id, and why."""


class Message(NamedTuple):
    """A row of the outbox, as it is sent."""

    row: int
    task_id: str
    exchange: str
    routing_key: str
    priority: int
    headers: Any
    properties: Any
    body: str

    @property
    def where(self) -> str:
        """Its way to a queue."""
        return f"{self.exchange} {self.routing_key}"


class BrokerAway(ConnectionError):
    """The broker did not take a batch; its rows stay in the outbox."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error

    def __str__(self) -> str:
        return f"the broker took nothing ({self.error}); the messages stay in the outbox"


@dataclass(slots=True)
class Outcome:
    """What became of a batch; what is named nowhere was not tried.

    sent: rows. refused: what can't be sent.
    left: rows that were not taken, for a reason that may pass; shut: the ways on which nothing gets through.
    why: the last such reason. away: why the broker takes nothing more; "" when it does.
    """

    sent: list[int] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    shut: set[str] = field(default_factory=set)
    why: str = ""
    away: str = ""


class Sender:
    """One connection to the broker. Not for use by several threads."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self._connection: Any = None
        self._is_careful = False

    def disconnect(self) -> None:
        """Drop the connection; the next batch makes a new one."""
        if self._connection is not None:
            with suppress(Exception):  # it is given up in any case
                self._connection.release()
            self._connection = None

    def send(self, messages: Sequence[Message]) -> Outcome:
        """Give *messages* to the broker."""
        done = Outcome()
        try:
            if self._is_careful:
                self._one_by_one(messages, done)
            else:
                self._at_once(messages, done)
        except BrokerAway as error:
            done.away = error.error
        if done.away:
            self.disconnect()
        return done

    def _at_once(self, messages: Sequence[Message], done: Outcome) -> None:
        self._connected()
        try:
            self._publish(messages)
        except (PartlyUnroutable, NotTaken) as some:
            back = some.why.keys() if isinstance(some, PartlyUnroutable) else some.ids
            done.sent += [message.row for message in messages if message.task_id not in back]
            self._one_by_one([message for message in messages if message.task_id in back], done)
        except Exception as error:  # noqa: BLE001 -- a transport raises anything
            if self._blame(error) is Blame.BROKER:
                self._is_careful = True
                done.away = told(error)
            else:
                self._one_by_one(messages, done)
        else:
            done.sent += [message.row for message in messages]

    def _one_by_one(self, messages: Sequence[Message], done: Outcome) -> None:
        self.disconnect()
        self._connected()
        refusals: Counter[str] = Counter()
        open_ways: set[str] = set()
        for message in messages:
            if message.where in done.shut:
                continue
            try:
                self._publish([message])
            except Exception as error:  # noqa: BLE001
                if not self._take_down(message, error, done):
                    return
                refusals[message.where] += message.row in done.left
                if refusals[message.where] >= TRIES and message.where not in open_ways:
                    done.shut.add(message.where)
            else:
                done.sent.append(message.row)
                open_ways.add(message.where)
        self._is_careful = False

    def _take_down(self, message: Message, error: Exception, done: Outcome) -> bool:
        """Note what *error* means for *message*. Whether the next one may be tried."""
        found = self._blame(error)
        if found is Blame.MAKING:
            found = Blame.MESSAGE if self._answers() else Blame.BROKER
        if found is Blame.MESSAGE:
            reason = next(iter(error.why.values()), "") if isinstance(error, PartlyUnroutable) else str(error)
            kind = "Unroutable" if isinstance(error, PartlyUnroutable) else type(error).__name__
            done.refused.append((message.row, message.task_id, f"{kind}: {reason}"[:500]))
            return True
        done.left.append(message.row)
        if found is Blame.BROKER:
            self._is_careful = True
            done.away = told(error)
            return False
        done.why = told(error)
        return True

    def _publish(self, messages: Sequence[Message]) -> None:
        producer: Any = Producer(self._connected().default_channel, auto_declare=False)
        with producer.batch(max_size=max(len(messages), 1) * 4):
            for message in messages:
                _publish(producer, message)

    def _blame(self, error: Exception) -> Blame:
        if isinstance(error, PartlyUnroutable):
            return Blame.MESSAGE
        connection = self._connection or self.app.connection_for_write()
        return blame(error, tuple(connection.connection_errors))

    def _answers(self) -> bool:
        """Whether the broker answers over the connection that there is."""
        try:
            self._declare(self._connection)
        except Exception:  # noqa: BLE001
            return False
        return True

    def _connected(self) -> Any:
        """The connection, with the queues declared. Whatever goes wrong with that is no message's fault."""
        if self._connection is None:
            # A pipeline that is silently tried again is no batch, so kombu's Redis transport refuses that.
            options = {**self.app.conf.broker_transport_options, "retry_on_timeout": False}
            connection: Any = self.app.connection_for_write(transport_options=options)
            try:
                connection.ensure_connection(max_retries=1, timeout=5)
                self._declare(connection)
            except Exception as error:
                with suppress(Exception):
                    connection.release()
                raise BrokerAway(told(error.__cause__ or error)) from error
            self._connection = connection
        return self._connection

    def _declare(self, connection: Any) -> None:
        with closing(connection.channel()) as channel:
            for queue in self.app.amqp.queues.values():
                queue(channel).declare()


def _publish(producer: Producer, message: Message) -> None:
    properties: dict[str, Any] = _loaded(message.properties)
    options: dict[str, Any] = {
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "exchange": message.exchange,
        "routing_key": message.routing_key,
        "priority": message.priority,
        "headers": _loaded(message.headers),
        "delivery_mode": 2,
    }
    if repeated := sorted(options.keys() & properties.keys()):  # Python says so with a TypeError, or with a KeyError
        raise ValueError(f"its properties say once more what its {', '.join(repeated)} is")
    producer.publish(message.body, **options, **properties)


def _loaded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
