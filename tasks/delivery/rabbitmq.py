"""kombu's AMQP transport with what a job needs: urgency the right way round, and publishing that is sure and bounded.

- **Urgency.** 0 is taken first everywhere in a project; RabbitMQ takes 9 first. The number is turned round when a
  message is written, and back when it is read (`topology.turned_round`), so nothing else has to know.
- **Answers** come within ANSWER_WITHIN, or the connection counts as lost. amqp waits for them without end: to a server
  that hangs it can neither publish nor say goodbye.
- **Confirms.** With `confirm_publish` a message counts as sent when RabbitMQ has it on a majority's disks. An answer
  that says no is a lost connection as well: a fault of the broker's, not of the message, which is to be sent again.
- **Nowhere.** What is published as `mandatory` and no queue would get is given back by RabbitMQ, and raises Unroutable.
  `BoundedCelery` publishes every job so, and every batch is.
- **Batches.** `Producer.batch()` sends all messages first and then waits for all confirms, where one by one each would
  cost a round trip and a write to the disk. All confirmed, or BatchPublishError: then any part of it may have arrived.
  Where RabbitMQ says which ones it has not (NotTaken, PartlyUnroutable), all the others have.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, Final

import amqp
from amqp.exceptions import MessageNacked, RecoverableConnectionError
from kombu.exceptions import BatchPublishError  # type: ignore[attr-defined]
from kombu.transport import pyamqp

from ..topology import turned_round
from .faults import NotTaken
from .routing import PartlyUnroutable, Unroutable

ANSWER_WITHIN: Final = timedelta(seconds=10)


class Answered:
    """Waits for answers in bounded time."""

    def wait(self, method: Any, callback: Any = None, timeout: float | None = None, **options: Any) -> Any:
        """amqp's. Raises TimeoutError, which is one of kombu's connection errors."""
        within = ANSWER_WITHIN.total_seconds() if timeout is None else timeout
        waiting: Any = super()
        return waiting.wait(method, callback=callback, timeout=within, **options)


class Channel(Answered, pyamqp.Channel):  # type: ignore[misc] # amqp's stubs name what `options` passes on
    """A channel that turns urgencies round, and reads what is given back to it."""

    events: Any  # amqp's; its stubs leave it out

    def __init__(self, *args: Any, **options: Any) -> None:
        self.given_back: dict[str, Unroutable] = {}
        super().__init__(*args, **options)
        self.events["basic_return"].add(self._given_back)

    def _given_back(self, _error: Any, exchange: str, routing_key: str, message: Any) -> None:
        task_id = str((message.headers or {}).get("id"))
        self.given_back[task_id] = Unroutable(exchange, routing_key, None)

    def prepare_message(self, body: Any, priority: int | None = None, *args: Any, **options: Any) -> Any:
        """kombu's, with the urgency as RabbitMQ counts it."""
        return super().prepare_message(body, None if priority is None else turned_round(priority), *args, **options)

    def message_to_python(self, raw_message: Any) -> Any:
        """kombu's, with the priority as a project counts it."""
        properties = raw_message.properties
        if properties.get("priority") is not None:
            properties["priority"] = turned_round(properties["priority"])
        return super().message_to_python(raw_message)

    def basic_publish_confirm(self, *args: Any, **options: Any) -> Any:
        """amqp's. Raises RecoverableConnectionError when RabbitMQ refuses, TimeoutError when it says nothing.

        Raises Unroutable when it gives the message back.
        """
        self.given_back.clear()
        try:
            done = super().basic_publish_confirm(*args, **options)
        except MessageNacked as refused:
            raise RecoverableConnectionError("RabbitMQ did not take the message") from refused
        if self.given_back:  # before it was confirmed, which also has to be read
            raise next(iter(self.given_back.values()))
        return done

    def create_publish_batch(self, max_size: int) -> ConfirmedBatch:
        """What `Producer.batch()` publishes through."""
        return ConfirmedBatch(self, max_size)


class ConfirmedBatch:
    """Messages that are sent at once and confirmed together; at most *max_size* are on their way."""

    def __init__(self, channel: Channel, max_size: int) -> None:
        self.channel, self._max_size = channel, max_size
        # A channel of its own, where RabbitMQ counts what is sent from 1; kombu sends other things on the other.
        self._wire = channel.connection.channel()
        self._wire.confirm_select()
        self._wire.events["basic_ack"].add(self._confirmed)
        self._wire.events["basic_nack"].add(self._refused)
        self._sent = 0
        self._open: set[int] = set()
        self._jobs: dict[int, str] = {}
        self._not_taken: set[str] = set()

    def publish(self, message: Any, **options: Any) -> None:
        """Send one prepared message."""
        if len(self._open) >= self._max_size:
            self._await_confirms()
        self._sent += 1
        self._open.add(self._sent)
        self._jobs[self._sent] = str((message.headers or {}).get("id"))
        options["mandatory"] = True
        amqp.Channel.basic_publish(self._wire, message, **options)  # amqp's own, which doesn't wait

    def flush(self) -> None:
        """Wait until all is confirmed. Raises BatchPublishError.

        Raises NotTaken for those that RabbitMQ refuses, PartlyUnroutable for those that no queue gets: all the others
        were sent.
        """
        self._await_confirms()
        given_back, self._wire.given_back = self._wire.given_back, {}
        not_taken, self._not_taken = self._not_taken, set()
        if not_taken:
            raise NotTaken(frozenset(not_taken | given_back.keys()), self._sent)
        if given_back:
            raise PartlyUnroutable({task_id: str(error) for task_id, error in given_back.items()})

    def _await_confirms(self) -> None:
        deadline = time.monotonic() + ANSWER_WITHIN.total_seconds()
        while self._open:
            left = deadline - time.monotonic()
            if left <= 0:
                raise BatchPublishError(f"RabbitMQ did not confirm {len(self._open)} of {self._sent} messages")
            try:
                self._wire.connection.drain_events(timeout=left)
            except TimeoutError:
                continue

    def discard(self) -> None:
        """What was sent was sent."""

    def close(self) -> None:
        """Let go of the channel."""
        if self._wire.is_open:
            self._wire.close()

    def _confirmed(self, tag: int, multiple: bool) -> None:
        self._open = {open_tag for open_tag in self._open if open_tag > tag} if multiple else self._open - {tag}

    def _refused(self, tag: int, multiple: bool) -> None:
        before = self._open
        self._confirmed(tag, multiple)
        self._not_taken |= {self._jobs[refused] for refused in before - self._open}


class Connection(Answered, pyamqp.Connection):  # type: ignore[misc]
    """A connection whose channels are ours, and that a silent server can't keep from closing."""

    Channel = Channel


class Transport(pyamqp.Transport):
    """`amqp://`."""

    Connection = Connection


class SSLTransport(pyamqp.SSLTransport):
    """`amqps://`."""

    Connection = Connection
