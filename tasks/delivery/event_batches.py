"""Events of jobs, sent several at a time.

Celery sends what a worker tells its monitors with each turn of the event loop. A busy worker turns for every few jobs,
and each time makes a message, finds its exchange and waits for the server: a quarter of its time. Here events wait a
moment for more. Monitors see them so much later, each with the time at which it happened.
"""

from __future__ import annotations

from typing import Any, Final

WITHIN: Final = 0.1
"""Seconds for which an event waits for others."""
MOST: Final = 100
"""How many are sent in one message; they don't wait for more then."""


class EventBatches:
    """Of one worker's consumer, in whose place it answers Celery's dispatcher."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._waiting = False
        consumer.on_send_event_buffered = self.buffered

    def buffered(self) -> None:
        """An event has been added to those that wait; in any thread."""
        if not self._waiting:
            self._waiting = True
            self._consumer.hub.call_soon(self._wait)  # which wakes the event loop, as a timer alone would not

    def begin(self) -> None:
        """The connection is new, and timers of the old one's time are gone with it."""
        self._waiting = False
        if self._consumer.event_dispatcher is not None:  # a worker that tells nobody anything has none
            self._consumer.event_dispatcher.buffer_limit = MOST

    def end(self) -> None:
        """The worker stops: send what still waits."""
        dispatcher = self._consumer.event_dispatcher
        if dispatcher is not None and dispatcher.enabled:
            dispatcher.flush()

    def _wait(self) -> None:
        self._consumer.hub.call_later(WITHIN, self._send)

    def _send(self) -> None:
        self._waiting = False
        self._consumer._flush_events()
