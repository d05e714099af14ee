"""Publishing that may be repeated: a call whose answer was lost is sent again and carried out once.

Each channel is a publisher with a name of its own that numbers its calls. The server keeps one bit a call for a while.
redis-py repeats a command on the same channel, kombu repeats a whole publication on a new one; both send the number
that the first attempt had.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from typing import Any, Final
from uuid import uuid4

from kombu.utils.json import dumps
from kombu.utils.objects import cached_property
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from .kombu_parts import stock
from .names import SEEN
from .routing import Unroutable, may_reach_nobody, unroutable
from .scripts import ScriptClient

WINDOW_MS: Final = 10 * 60 * 1000
"""How long a repetition is recognised: longer than any client goes on trying."""
CALLS_A_NAME: Final = 65_536
"""After so many calls a publisher takes a new name, so that its bits stay below 8 KB on the server."""


class PublicationTag(str):
    """A delivery tag that knows which call of which publisher it stands for."""

    __slots__ = ("number", "publisher")
    publisher: str
    number: int


class Publisher:
    """Gives numbers to calls. Thread-safe; a forked process has another name than its parent."""

    def __init__(self) -> None:
        self._take_name()

    def next_tag(self) -> PublicationTag:
        """A tag for the next call."""
        if os.getpid() != self._pid:
            self._take_name()
        while True:
            tag: PublicationTag | None = next(self._calls, None)
            if tag is not None:
                return tag
            self._take_name()

    def _take_name(self) -> None:
        self._calls = map(_tag, itertools.repeat(uuid4().hex), range(CALLS_A_NAME))
        self._pid = os.getpid()


def _tag(publisher: str, number: int) -> PublicationTag:
    tag = PublicationTag(f"{publisher}.{number}")
    tag.publisher, tag.number = publisher, number
    return tag


class LeaseBatch(stock.PublishBatch):  # type: ignore[misc] # kombu has no types
    """A batch whose messages get onto their lists in one call, all or none, and once if it is repeated."""

    def __init__(self, channel: Any, max_size: int) -> None:
        super().__init__(channel, max_size)
        self._messages: list[tuple[str, str]] = []

    def add(self, name: str, *args: Any) -> None:
        """A message for a list is kept for the script; anything else goes through the pipeline."""
        if name == "lpush":
            self._messages.append((args[0], args[1]))
            self._buffered += 1
        else:
            super().add(name, *args)

    def publish(self, message: Any, **options: Any) -> Any:
        """Route one message and keep it for the next flush."""
        result = super().publish(message, **options)
        if self._buffered >= self.max_size:
            self.flush()
        return result

    def flush(self) -> None:
        """Send what has come together. Raises BatchPublishError; then none, or all, of it is on its lists."""
        self._check_usable()
        messages, self._messages = self._messages, []
        self._buffered -= len(messages)
        if messages:
            try:
                self.channel.put_all(self.channel.publisher.next_tag(), messages)
            except (RedisError, OSError) as error:
                self._failed = error
                raise stock.BatchPublishError("Redis publish batch failed; delivery is uncertain") from error
        super().flush()

    def discard(self) -> None:
        """Forget what has not been sent."""
        self._messages.clear()
        super().discard()


def retry_once() -> Retry:
    """One repetition, at once. Whoever publishes has a policy for more."""
    return Retry(ExponentialBackoff(cap=0.1, base=0.02), 1)


class PublishingChannel(stock.Channel):  # type: ignore[misc] # kombu has no types
    """kombu's channel, whose publications may be repeated."""

    # Bounded by default, so that neither publishing nor consuming hangs on a connection that is half open.
    socket_timeout = 5.0
    socket_connect_timeout = 5.0
    socket_keepalive = True

    supports_batch_publish = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.publisher = Publisher()
        self._client_of_calls: Any = None
        super().__init__(*args, **kwargs)

    def create_publish_batch(self, max_size: int) -> LeaseBatch:
        """What `Producer.batch` collects in."""
        return LeaseBatch(self, max_size)

    def put_all(self, tag: PublicationTag, messages: Sequence[tuple[str, str]], *, queue: str = "") -> None:
        """Put (list, message) pairs on their lists, once. *queue* sets one publication to several queues apart."""
        prefix = self.global_keyprefix
        keys = [f"{prefix}{SEEN}{tag.publisher}{queue and ':' + queue}", *(prefix + key for key, _ in messages)]
        self._scripts.run("publish", keys, [tag.number, WINDOW_MS, *(message for _, message in messages)])

    @cached_property
    def _scripts(self) -> ScriptClient:
        return ScriptClient(Redis(connection_pool=self.pool))

    def _create_client(self, asynchronous: bool = False) -> Any:
        """kombu makes one for each call; one does for all threads, as long as its pool is this channel's."""
        if asynchronous:
            return super()._create_client(asynchronous)
        if self._client_of_calls is None or self._client_of_calls.connection_pool is not self.pool:
            self._client_of_calls = super()._create_client()
        return self._client_of_calls

    def _get_pool(self, asynchronous: bool = False) -> Any:
        pool = super()._get_pool(asynchronous)
        if not asynchronous:  # a subscriber that repeats waits for ever: it has nothing to repeat
            pool.connection_kwargs["retry"] = retry_once()
        return pool

    def _inplace_augment_message(self, message: Any, exchange: str, routing_key: str) -> None:
        """A publication that kombu repeats brings its properties with it, and in them the tag that it had."""
        repeated = message["properties"].get("delivery_tag")
        super()._inplace_augment_message(message, exchange, routing_key)
        if isinstance(repeated, PublicationTag):
            message["properties"]["delivery_tag"] = repeated

    def _queue_bind(self, *binding: Any) -> None:
        try:
            super()._queue_bind(*binding)
        except ResponseError as refusal:
            # A replica that was the primary, a full disk: a worker that is connecting would end at any other error.
            raise RedisConnectionError(f"the server refuses: {refusal}") from refusal

    def _next_delivery_tag(self) -> PublicationTag:
        return self.publisher.next_tag()

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> Any:
        """The queues that a message goes to. Raises Unroutable where kombu would drop it."""
        queues = super()._lookup(exchange, routing_key, default)
        if not any(queues) and not may_reach_nobody(exchange):
            raise unroutable(self, exchange, routing_key)
        return queues

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        if not queue:
            raise Unroutable("", "")
        if kwargs.get("_publish_batch") is not None:
            super()._put(queue, message, **kwargs)
            return
        key = self._q_for_pri(queue, self._get_message_priority(message, reverse=False))
        tag = message["properties"]["delivery_tag"]
        if not isinstance(tag, PublicationTag):  # a message of another channel that is put on
            tag = self.publisher.next_tag()
        self.put_all(tag, [(key, dumps(message))], queue=queue)
        if queue in self._expires:
            with self.conn_or_acquire() as client:
                self._maybe_update_queues_expire(client, queue)
