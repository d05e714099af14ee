"""The transports: `redis+lease://`, `rediss+lease://`, `sentinel+lease://`."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from queue import Empty
from threading import get_ident
from typing import Any, Final

from .channel import UNLIMITED_ROOM, LeaseChannel
from .kombu_parts import stock

_NOBODY: Final = (None, ())
"""Who reads where nobody does."""


class LeasePoller(stock.MultiChannelPoller):  # type: ignore[misc] # kombu has no types
    """Lets each channel speak when it has something to say, and read when the server answers.

    Nothing is ever paused: what arrives was asked for, and room was kept for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.at_once = UNLIMITED_ROOM
        """How many messages are delivered before the caller is back: one in `get`, for there a message may be carried
        out where it is delivered, and others must be acknowledged in between."""
        self._asleep = False
        self._bell: tuple[socket.socket, socket.socket] | None = None
        self._hub: Any = None
        self._thread = 0
        self._will_turn = False
        self.turned: Callable[[], None] | None = None
        """Called in each turn of the event loop, after everything that may hand a job to the pool."""

    def turn_with(self, hub: Any) -> None:
        """The event loop *hub* calls `on_poll_start`, in this thread."""
        self._hub, self._thread = hub, get_ident()

    def wake(self, channel: Any) -> None:
        """End the wait of another thread for the server: *channel* has room again, or something to tell."""
        if self._asleep and self._bell is not None:
            self._asleep = False
            with suppress(OSError):  # it is full of rings, or closed
                self._bell[1].send(b"!")
        elif self._hub is not None and get_ident() != self._thread:
            wait = channel.speaks_in
            if wait == 0 or (wait is not None and not self._will_turn):
                self._hub.call_soon(_nothing)

    def close(self) -> None:
        """Close what was opened."""
        super().close()
        if self._bell is not None:
            for end in self._bell:
                end.close()
            self._bell = None

    def _update_brpop_polling(self) -> None:
        """kombu stops reading when a worker has no room. Here nothing comes then."""

    def on_poll_start(self) -> None:
        """Called before each wait."""
        for channel in list(self._channels):
            if self.at_once > 1:
                channel.deliver_arrived()
            self._let_speak(channel)
            if channel.active_fanout_queues:
                self._register_LISTEN(channel)

    def _let_speak(self, channel: Any) -> None:
        wait = channel.speaks_in
        if wait is None:
            return
        if wait > 0:
            self._turn_in(wait)
            return
        client = channel.client
        if not self._client_registered(channel, client, "BRPOP"):
            channel.meet(client.connection)
            self._register(channel, client, "BRPOP")
        channel.speak()

    def _turn_in(self, seconds: float) -> None:
        """Have the event loop turn then; `get` sees to it itself."""
        if self._hub is not None and not self._will_turn:
            self._will_turn = True
            self._hub.call_later(seconds, self._turned)

    def _turned(self) -> None:
        self._will_turn = False

    def on_readable(self, fileno: int) -> None:
        """A connection has something to read."""
        found = self._fd_to_chan.get(fileno)
        if found is not None:
            channel, kind = found
            channel.handlers[kind]()

    def handle_event(self, fileno: int, event: int) -> Any:
        """The same, for `drain_events`. Raises Empty when no message was delivered."""
        found = self._fd_to_chan.get(fileno)
        if found is None:
            return False
        channel, kind = found
        if not event & stock.READ:
            channel._poll_error(kind)
        return channel.handlers[kind]()

    def get(self, callback: Any, timeout: float | None = None) -> None:
        """Deliver one message, or wait for one. Raises Empty."""
        self._in_protected_read, self.at_once = True, 1
        try:
            if any(channel.deliver_arrived(most=1) for channel in list(self._channels)):
                return
            self.maybe_refresh_binding_expiry()
            self.on_poll_start()
            for fileno, event in self._wait(timeout if timeout is not None else 1.0):
                if self.handle_event(fileno, event):
                    return
            self.maybe_restore_messages()
            raise Empty
        finally:
            self._in_protected_read, self.at_once = False, UNLIMITED_ROOM
            while self.after_read:
                self.after_read.pop()()

    def _wait(self, timeout: float) -> list[tuple[int, int]]:
        if self._bell is None:
            self._bell = socket.socketpair()
            for end in self._bell:
                end.setblocking(False)
            self.poller.register(self._bell[0], stock.READ)
        self._asleep = True
        waits = [wait for wait in (channel.speaks_in for channel in list(self._channels)) if wait is not None]
        if 0 in waits:  # since we let them speak
            self._asleep = False
            return []
        events = list(self.poller.poll(min([timeout, *waits])) or ())
        self._asleep = False
        bell = self._bell[0].fileno()
        if any(fileno == bell for fileno, _ in events):
            with suppress(BlockingIOError):
                self._bell[0].recv(4096)
        return [event for event in events if event[0] != bell]

    def maybe_restore_messages(self) -> None:
        """kombu calls it every few seconds; giving back what is overdue is the keeper's. Here: is the line alive?"""
        for channel in list(self._channels):
            # What came while a job held the event loop has only not been read yet.
            if channel.line.overdue and not channel.line.pending(channel.client.connection):
                stock.warning("the server has not answered for a while; the connection is made anew")
                channel.client.connection.disconnect()

    def maybe_check_brpop_health(self) -> None:
        """The same question."""
        self.maybe_restore_messages()

    def on_poll_init(self, poller: Any) -> None:
        """Use the event loop's poller."""
        self.poller = poller


def _nothing() -> None:
    """What an event loop does that is only to turn."""


class LeaseTransport(stock.Transport):  # type: ignore[misc] # kombu has no types
    """Redis or Valkey, with leases."""

    Channel = LeaseChannel

    # kombu counts KeyError among them, for faults of its own poller; a message without a key then cuts the connection.
    connection_errors = tuple(kind for kind in stock.Transport.connection_errors if kind is not KeyError)
    # Publishing may be repeated, so the caller's policy alone says how often.
    recoverable_connection_errors = connection_errors
    recoverable_channel_errors = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cycle = LeasePoller()

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Have the event loop let our channels speak."""
        cycle, readers, on_readable = self.cycle, loop.readers, self.on_readable
        cycle.turn_with(loop)
        others = set(loop.on_tick)
        super().register_with_event_loop(connection, loop)

        def turn() -> None:  # in place of kombu's, which adds all of them each time
            cycle.on_poll_start()
            for fileno in cycle.fds:
                if readers.get(fileno, _NOBODY)[0] is not on_readable:
                    loop.add_reader(fileno, on_readable, fileno)
            if cycle.turned:
                cycle.turned()

        loop.on_tick &= others
        loop.on_tick.add(turn)

    @property
    def supports_batch_publish(self) -> bool:
        """A repeated batch is recognised, so it is always safe."""
        return True
