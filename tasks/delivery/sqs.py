"""kombu's SQS transport, with what a job needs.

- **Hold.** What a worker holds is kept its own for as long as it lives (`sqs_hold`), so the visibility timeout can be
  short, and a killed worker's messages come back within it.
- **Receiving** is boto3's in a thread for each queue, which waits at SQS for up to `wait_time_seconds`; kombu's own way
  needs pycurl. The answer is handled in the worker's event loop. A worker that ends meanwhile gives the answer back.
- **Giving back** is at once; kombu hides the message for `wait_time_seconds` more.
- **Counts.** A message says in the header `x-delivery-count` how often it was delivered before, as RabbitMQ's do.
- **Dead letters.** Queues are made with a redrive policy: what was delivered too often (`delivery_limit`) goes to the
  queue of dead letters. What is rejected goes there as well: first written there, then deleted here, so a crash between
  the two makes two of it and never none. A queue that was made by somebody else keeps the policy that it has.

A worker that drinks from several queues may hold its prefetch count of each. SQS knows no urgency, no order that it
promises, and no fan-out: no remote control, no events, so Flower shows nothing.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from kombu.transport import SQS
from vine import transform

from ..topology import DEAD_LETTER_QUEUE
from .routing import may_reach_nobody, unroutable
from .sqs_hold import Hold

KOMBUS: Any = SQS  # what is overridden here, its stubs don't know

log = logging.getLogger(__name__)

FAULTS: Final = (ClientError, BotoCoreError, OSError)
PAUSE_AFTER_FAULT: Final = timedelta(seconds=1)
KEPT_FOR: Final = timedelta(days=14)  # as long as SQS can; its own default is four days

COUNT: Final = "x-delivery-count"


class Receiver:
    """A thread that asks SQS for messages of one queue, as often as it is told to. It ends with the process."""

    def __init__(self, name: str, receive: Callable[[int], Any]) -> None:
        self._receive = receive
        self._orders: queue.SimpleQueue[tuple[int, Callable[[Any], object]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=f"sqs-{name}", daemon=True).start()

    def ask(self, count: int, done: Callable[[Any], object]) -> None:
        """Ask for at most *count* messages, and call *done* with SQS's answer, in the thread."""
        self._orders.put((count, done))

    def _run(self) -> None:
        while True:
            count, done = self._orders.get()
            try:
                answer = self._receive(count)
            except FAULTS as error:
                log.warning("SQS gave no answer (%s); asking again", error)
                threading.Event().wait(PAUSE_AFTER_FAULT.total_seconds())
                answer = {}
            done(answer)


class Channel(KOMBUS.Channel):  # type: ignore[misc]
    """A channel that holds, counts, and keeps dead letters."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._receivers: dict[str, Receiver] = {}
        self._hold = Hold(self.sqs(), self._held, timedelta(seconds=self.visibility_timeout))

    def basic_consume(self, queue: str, *args: Any, **options: Any) -> Any:
        """kombu's; from now on what comes is held."""
        self._hold.begin()
        return super().basic_consume(queue, *args, **options)

    def close(self) -> None:
        """Give back what is held, and let go."""
        self._hold.end()
        super().close()

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> Any:
        """The queues that a message goes to. Raises Unroutable where kombu would drop a job; an event it may drop."""
        queues = super()._lookup(exchange, routing_key, default)
        if not any(queues) and self.typeof(exchange).type == "direct" and not may_reach_nobody(exchange):
            raise unroutable(self, exchange, routing_key)
        return queues

    def _held(self) -> list[tuple[str, str]]:
        delivered = tuple(self.qos._delivered.items())
        settled = self.qos._dirty  # kombu takes these out when the next message comes, and no sooner
        return [(message.delivery_info["sqs_queue"], tag) for tag, message in delivered if tag not in settled]

    # Receiving

    def _receive_message(
        self, queue: str, max_number_of_messages: int = 1, wait_time_seconds: int | None = None
    ) -> Any:
        return self.sqs(queue=self.canonical_queue_name(queue)).receive_message(
            QueueUrl=self._new_queue(queue),
            MaxNumberOfMessages=max_number_of_messages,
            WaitTimeSeconds=self.wait_time_seconds if wait_time_seconds is None else wait_time_seconds,
            VisibilityTimeout=self.visibility_timeout,  # whatever the queue was made with
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )

    def _get_async(self, queue: str, count: int = 1, callback: Any = None) -> None:
        url = self._new_queue(queue)
        handled = transform(self._on_messages_ready, callback, url, queue)
        if queue not in self._receivers:
            self._receivers[queue] = Receiver(queue, lambda count: self._receive_message(queue, count))

        def done(answer: Any) -> None:
            if self.closed or queue not in self._active_queues:
                self._release_messages(url, queue, answer.get("Messages", ()))
            else:
                self.hub.call_soon(partial(handled, answer))

        self._receivers[queue].ask(count, done)

    def _delete_message(self, queue_name: str, message: Any) -> None:
        """Of a consumer that never acknowledges."""
        self.sqs(queue=self.canonical_queue_name(queue_name)).delete_message(
            QueueUrl=self._new_queue(queue_name), ReceiptHandle=message["ReceiptHandle"]
        )

    def _envelope_payload(self, payload: Any, raw_text: Any, message: Any, q_url: str) -> Any:
        enveloped = super()._envelope_payload(payload, raw_text, message, q_url)
        before = int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1)) - 1
        if before > 0:
            enveloped.setdefault("headers", {})[COUNT] = before
            enveloped["properties"]["delivery_info"]["redelivered"] = True
        return enveloped

    def _purge(self, queue: str) -> int:
        """kombu's counts what it purges ten times over. SQS allows one purge a minute."""
        waiting: int = self._size(queue)
        self.sqs(queue=self.canonical_queue_name(queue)).purge_queue(QueueUrl=self._new_queue(queue))
        return waiting

    # Giving back, and giving up

    def _restore(self, message: Any, **_: Any) -> None:
        info = message.delivery_info
        self._client_of(info).change_message_visibility(
            QueueUrl=info["sqs_queue"], ReceiptHandle=message.delivery_tag, VisibilityTimeout=0
        )

    def _delete_rejected_message(self, delivery_tag: str) -> None:
        if self.predefined_queues and DEAD_LETTER_QUEUE not in self.predefined_queues:
            super()._delete_rejected_message(delivery_tag)
            return
        origin = self.qos.get(delivery_tag).delivery_info
        message = origin["sqs_message"]
        client = self._client_of(origin)
        facts = {"reason": "rejected", "queue": origin["sqs_queue"].rpartition("/")[2]}
        try:
            client.send_message(
                QueueUrl=self._new_queue(DEAD_LETTER_QUEUE),
                MessageBody=_text(message["Body"]),
                MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in facts.items()},
            )
            client.delete_message(QueueUrl=origin["sqs_queue"], ReceiptHandle=message["ReceiptHandle"])
        except FAULTS as error:  # it comes again, and is rejected again
            log.warning("SQS did not take a dead letter (%s); the message stays in %s", error, facts["queue"])

    def _client_of(self, delivery_info: dict[str, Any]) -> Any:
        """The client for the queue that a message came from; bytes that are no message name none."""
        key = delivery_info.get("routing_key")
        return self.sqs(queue=self.canonical_queue_name(key)) if key else self.sqs()

    def _create_queue(self, queue_name: str, attributes: dict[str, str]) -> Any:
        attributes["MessageRetentionPeriod"] = str(int(KEPT_FOR.total_seconds()))
        limit = self.transport_options.get("delivery_limit")
        if limit and queue_name != self.canonical_queue_name(DEAD_LETTER_QUEUE):
            policy = {"deadLetterTargetArn": self._dead_letter_arn(), "maxReceiveCount": limit + 1}
            attributes["RedrivePolicy"] = json.dumps(policy)
        return super()._create_queue(queue_name, attributes)

    def _dead_letter_arn(self) -> str:
        url = self._new_queue(DEAD_LETTER_QUEUE)
        answer = self.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        arn: str = answer["Attributes"]["QueueArn"]
        return arn


class Transport(KOMBUS.Transport):  # type: ignore[misc]
    """`sqs://`."""

    Channel = Channel


def _text(body: bytes | str) -> str:
    return body.decode() if isinstance(body, bytes) else body
