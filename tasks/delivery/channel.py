"""A kombu channel that claims messages under a lease.

Everything but taking, acknowledging and publishing messages is kombu's own Redis channel: queues and bindings, fan-out
over pub/sub, pidbox, purging, sizes.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from datetime import timedelta
from queue import Empty
from types import MappingProxyType
from typing import Any

from kombu.log import get_logger
from kombu.utils.objects import cached_property
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig

from .checks import REFUSE, server_check
from .fairness import Turns
from .getting import Gets
from .keeper import Keeper, keeper_of
from .lease import Held, Lease
from .line import Claimed, LeaseGone, Line, Order
from .message import LeasedMessage, Undeliverable, message_read
from .moment import Moment
from .publishing import PublishingChannel
from .qos import LeaseQoS
from .schedule import schedule_purge, wait_before
from .starts import Starts

logger = get_logger(__name__)

UNLIMITED_ROOM = 100
"""How many messages are claimed at once for a consumer without a prefetch limit."""


class LeaseChannel(PublishingChannel):
    """Transport options of its own: `lease` (timedelta or seconds), `deaths_max`, `message_max_bytes`, `horizon`
    (seconds), `queue_weights`, `server_checks` ("refuse", or "warn" in development), `cache_url` (of the cache that
    should be another server); all of kombu's that concern connections and names are honoured as well.
    """

    QoS = LeaseQoS
    Message = LeasedMessage

    lease: float | timedelta = 30.0
    server_checks = REFUSE
    cache_url = ""
    deaths_max = 3
    message_max_bytes = 16 * 1024 * 1024
    horizon = 60.0
    queue_weights: Mapping[str, int] = MappingProxyType({})

    from_transport_options = (
        *PublishingChannel.from_transport_options,
        "lease",
        "deaths_max",
        "message_max_bytes",
        "horizon",
        "queue_weights",
        "server_checks",
        "cache_url",
    )

    slots: int | None = None
    """How many messages a Celery worker runs at once; None for other consumers, whose messages start as they come."""
    kept = False
    """A Celery worker's: what it runs goes on when this channel is lost to a broken connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._arrived: deque[tuple[LeasedMessage, str]] = deque()
        self._lease: Lease | None = None
        self._keeper: Keeper | None = None
        self._lists: tuple[bytes, ...] = ()
        self._met: Any = None
        self.moment = Moment()
        self.starts = Starts(self)
        self.gets = Gets(self)
        super().__init__(*args, **kwargs)
        self.lease_length = self.lease if isinstance(self.lease, timedelta) else timedelta(seconds=self.lease)
        self.turns = Turns(self.queue_order_strategy, dict(self.queue_weights))
        self.line = Line(prefix=self.global_keyprefix, deaths_max=self.deaths_max, most_bytes=self.message_max_bytes)

    # -- connections

    @cached_property
    def client(self) -> Any:
        """The connection that claims. It speaks RESP3, in which the server may speak first."""
        pool = self._get_pool(asynchronous=True)
        pool.connection_kwargs.update(
            protocol=3, health_check_interval=0, maint_notifications_config=MaintNotificationsConfig(enabled=False)
        )
        self._claim_pool = pool
        return self.Client(connection_pool=pool)

    @property
    def keeper(self) -> Keeper:
        """This process's keeper for this server and these options."""
        if self._keeper is None:
            params = self._connparams()
            del params["connection_class"]
            if "credential_provider" in params:  # kombu makes one for each question
                params["credential_provider"] = type(params["credential_provider"])
            key = (repr(sorted(params.items(), key=str)), self.global_keyprefix, self.lease_length, self.deaths_max)
            self._keeper = keeper_of(key, self._make_keeper)
        return self._keeper

    def _make_keeper(self) -> Keeper:
        bound = min(self.lease_length.total_seconds() / 4, 5.0)
        pools = [self._get_pool(), self._get_pool()]
        for pool in pools:
            pool.connection_kwargs.update(socket_timeout=bound, socket_connect_timeout=bound)
        return Keeper(
            *(Redis(connection_pool=pool) for pool in pools),
            prefix=self.global_keyprefix,
            length=self.lease_length,
            deaths_max=self.deaths_max,
        )

    def meet(self, connection: Any) -> None:
        """A connection is going to be used for claiming: prepare it, now and whenever it is made anew."""
        if connection is not self._met:
            self._met = connection
            connection.register_connect_callback(self._greet)
            if connection._sock is not None:
                self._greet(connection)

    def _greet(self, connection: Any) -> None:
        self.line.greet(connection)

    def _on_connection_disconnect(self, connection: Any) -> None:
        if self._met is connection:
            self.line.broken()
        super()._on_connection_disconnect(connection)

    def lists_of(self, queue: str) -> tuple[str, ...]:
        """The list of each priority of *queue*, the most urgent first, without `global_keyprefix`."""
        return tuple(self._q_for_pri(queue, step) for step in self.priority_steps)

    # -- consuming

    def basic_consume(self, queue: str, no_ack: bool, callback: Any, consumer_tag: str, **kwargs: Any) -> Any:
        """Consume from *queue*: as kombu does, but for messages that are made already."""
        result = super().basic_consume(queue, no_ack, callback, consumer_tag, **kwargs)
        from_raw = self.connection._callbacks[queue]

        def given(message: Any) -> Any:
            if not isinstance(message, LeasedMessage):
                return from_raw(message)
            if no_ack:
                self._settle(message, "ack")
            else:
                self.qos.append(message, message.delivery_tag)
            return callback(message)

        self.connection._callbacks[queue] = given
        return result

    def _update_queue_cycle(self) -> None:
        self.turns.update(self.active_queues)
        queues, prefix = self.turns.queues, self.global_keyprefix
        keys = [f"{prefix}{self._q_for_pri(queue, step)}" for step in self.priority_steps for queue in queues]
        self._lists = tuple(key.encode() for key in keys)
        self.line.disarm()

    @property
    def speaks_in(self) -> float | None:
        """In how many seconds a claim is to be sent; None if there is nothing to ask for and nothing to tell."""
        if self.line.claiming:
            return None
        if self.moment.to_tell(self._lease, busy=self.qos.in_hand and not self.line.armed):
            return 0.0
        if self.line.armed and time.monotonic() <= self.line.look_at:
            return None
        return self.moment.to_ask(self.room())

    def room(self) -> int:
        """How many messages may be claimed now."""
        if not self._lists or self._next_must_wait():
            return 0
        taken = len(self._arrived) + (self.keeper.held_by_closed_channels() if self.kept else 0)
        return max(int(self.qos.room(UNLIMITED_ROOM)) - taken, 0)

    def speak(self) -> None:
        """Send one claim, with all that is to be told."""
        connection, lease = self.client.connection, self.held_under()
        self.moment.spoken()
        order = Order(self.turns.queues, self._lists, self.turns.quanta(), self.turns.start)
        room, starting = self.room(), self.starts.take(lease)
        self.starts.tell()
        self.line.claim(connection, lease, order, room, waiting=self.some_wait, starting=starting)

    @property
    def some_wait(self) -> bool:
        """Whether more may come in than can be started at once."""
        return self.slots is not None and self.qos.prefetch_count > self.slots

    def held_under(self) -> Lease:
        """The lease of what this channel claims; a new one when the last one was lost."""
        lease = self._lease = self.keeper.lease_after(self._lease)
        return lease

    def listen(self) -> bool:
        """Read what the server has said. Returns whether a message was delivered."""
        connection = self.client.connection
        while True:
            try:
                claimed = self.line.read(connection)
            except LeaseGone as gone:
                if self._lease is not None and self._lease.owner == gone.owner:
                    self.keeper.lost(self._lease)
                claimed = []
            for one in claimed:
                self._arrive(one)
            if not self.line.armed and not self.line.awaiting:
                break
            if not self.line.buffered(connection):
                break
        return self.deliver_arrived(self.connection.cycle.at_once)

    def deliver_arrived(self, most: int = UNLIMITED_ROOM) -> bool:
        """Give arrived messages to their consumers. Returns whether there was any."""
        delivered = False
        while self._arrived and most > 0:
            if not self._may_begin(self._arrived[0][0]):
                for waiting, _ in self._arrived:
                    self._note_waiting(waiting, certain=True)
                break
            message, queue = self._arrived.popleft()
            callback, most, delivered = self.connection._callbacks.get(queue), most - 1, True
            if callback is None:
                self._settle(message, "back")
            elif message.ours:
                callback(message)
                self._note_waiting(message)
        return delivered

    def _next_must_wait(self) -> bool:
        try:
            return not self._may_begin(self._arrived[0][0])
        except IndexError:  # there is none, or this is another thread and it has just been delivered
            return False

    def _may_begin(self, message: LeasedMessage) -> bool:
        return message.held is None or bool(self.qos.may_begin(message.held))

    def _arrive(self, one: Claimed) -> None:
        lease, counts = one.lease, one.counts
        if lease.lost:
            return
        alone = 1 < self.deaths_max <= counts.died + 1
        held = lease.take_up(one.number, one.raw, counted=counts.delivered > 0, waiting=self.some_wait, alone=alone)
        try:
            message = message_read(one.raw, self, held, counts)
            delay = wait_before(message.headers, self.horizon, self.lease_length)
        except Undeliverable as refusal:
            self.refuse(held, one.queue, refusal)
            return
        if delay is not None:
            self._settle(message, "later", str(delay))
            return
        if one.queue in self.turns.queues:
            self.turns.served(self.turns.queues.index(one.queue))
        self._arrived.append((message, one.queue))

    def _note_waiting(self, message: LeasedMessage, *, certain: bool = False) -> None:
        """The server takes what is claimed for started. What has turned out to wait is told to it."""
        held = message.held
        if held is None or self.slots is None or held.started or held.waiting or held.number not in held.lease.held:
            return
        if certain or self.dispatch_is_seen or message.headers.get("eta"):
            held.waiting = True
            held.lease.chores.append(("waiting", held.number, "-"))

    def waits_for_its_rate(self, message: LeasedMessage) -> None:
        """It is in hand and hasn't started, for as long as it may take: nobody else waits for that."""
        self._note_waiting(message, certain=True)
        self.qos.others_may_begin(message.delivery_tag)

    dispatch_is_seen = False
    """Whether a message's `starting` is called before it is delivered to its consumer's end, if it starts at all."""

    def open_connection(self, lease: Lease) -> Any:
        """The connection on which *lease* may be spoken of without making it anew; None if there is none."""
        connection = getattr(self.__dict__.get("client"), "connection", None)
        return connection if lease is self._lease and getattr(connection, "_sock", None) is not None else None

    def something_to_tell(self) -> None:
        """Something was acknowledged: the event loop tells it, or the keeper if it doesn't get to it."""
        self.keeper.notice()
        transport = self.connection  # another thread may close the channel just now
        if transport is not None:
            transport.cycle.wake(self)

    def hurry(self) -> None:
        """Acknowledging early means now, though the worker is busy."""
        self.moment.hurry()
        self.something_to_tell()

    def forget(self, delivery_tag: str) -> None:
        """A message is gone without being settled."""
        if self._qos is not None:
            self._qos.forget(delivery_tag)

    def refuse(self, held: Held, queue: str, refusal: Undeliverable) -> None:
        """No worker can be given it."""
        logger.error("a message of queue %r can't be handed to a worker and goes to the intake: %s", queue, refusal)
        held.lease.let_go(held, "intake", refusal.reason)
        self.keeper.notice()

    def _settle(self, message: LeasedMessage, what: str, detail: str = "-") -> None:
        held = message.held
        if held is not None:
            if what == "ack":
                held.lease.ack(held)
            else:
                held.lease.let_go(held, what, detail)

    def _brpop_read(self, **options: Any) -> bool:
        try:
            delivered = self.listen()
        except self.connection_errors:
            self.client.connection.disconnect()
            raise
        if not delivered:
            raise Empty
        return True

    def _poll_error(self, type: str, **options: Any) -> None:  # noqa: A002 # kombu's name
        if type == "LISTEN":
            super()._poll_error(type, **options)
        else:
            self.client.connection.disconnect()
            raise RedisConnectionError("the connection that claims messages is broken")

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> LeasedMessage | None:
        """One message of *queue*, or None. It is held until it is settled, as any other."""
        message = self.gets.next_of(queue)
        if message is not None and no_ack:
            self._settle(message, "ack")
            self.keeper.notice()
        elif message is not None:
            self.qos.append(message, message.delivery_tag)
        return message

    def _purge(self, queue: str) -> int:
        scheduled = schedule_purge(self._scripts.client, self.lists_of(queue), prefix=self.global_keyprefix)
        return scheduled + int(super()._purge(queue))

    def check_server(self) -> None:
        """Ask whether the server may be trusted with jobs. Raises ServerUnfit with what to do."""
        for problem in server_check(self._scripts.client, self.cache_url, mode=self.server_checks):
            logger.warning("the broker's server: %s", problem)

    def close(self) -> None:
        """Close. What is in hand goes back at once; what a Celery worker runs goes on under its lease."""
        if not self.closed:
            while self._arrived:
                message, _ = self._arrived.pop()
                self._settle(message, "back")
            self.starts.tell()
            for lease in (self._lease, self.gets.lease):
                if lease is not None:
                    self._leave(lease)
        super().close()

    def _leave(self, lease: Lease) -> None:
        if self.kept:
            lease.retire()
            self.keeper.notice()
            return
        try:
            self.keeper.release(lease)
        except (RedisError, OSError) as error:
            logger.warning("%d messages go back when their lease is over: %s", len(lease.held), type(error).__name__)

    def _disconnect_pools(self) -> None:
        pool = self.__dict__.pop("_claim_pool", None)
        if pool is not None:
            pool.disconnect()
        super()._disconnect_pools()
