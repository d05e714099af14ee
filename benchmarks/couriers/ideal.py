"""A Celery worker whose broker costs nothing: its messages lie ready in its own memory.

What a job costs here is Celery's own running of it, with Celery's own strategy and pool, and none of a transport's.
No transport can be cheaper. With TOLD set it tells a real server of each job before it starts: one write of bytes that
lie ready, and one read of the answers that are there. No transport that tells it can be cheaper than that.
"""

from __future__ import annotations

import mmap
import os
import socket
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from kombu.transport import TRANSPORT_ALIASES, virtual
from kombu.utils.json import dumps
from kombu.utils.uuid import uuid

from benchmarks.couriers.celery import app, nothing
from benchmarks.couriers.publishing import QUEUE, TOLD, WAITING, WORD

ROOM: Final = 8
"""How many jobs may be in hand, as with a prefetch of four for each of two processes."""

STARTS: Final = b"*3\r\n$3\r\nSET\r\n$13\r\nbench:started\r\n$1\r\n1\r\n"
"""As short as a command gets that writes something down."""
ANSWERS: Final = 4096

TRANSPORT_ALIASES["ideal"] = f"{__name__}:Transport"


class Ready(virtual.Message):
    """A message that was made beforehand, and is acknowledged to nobody."""

    channel: Channel

    def __init__(self, number: int, channel: Channel) -> None:
        headers, properties, body, _ = app.amqp.create_task_message(uuid(), nothing.name, (number,), {})
        to: dict[str, str] = {"exchange": "", "routing_key": QUEUE}
        super(virtual.Message, self).__init__(  # the other takes a message apart that came in one piece
            body=dumps(body),
            channel=channel,
            delivery_tag=str(number),
            content_type="application/json",
            content_encoding="utf-8",
            headers=headers,
            properties={**properties, "delivery_info": to},
            delivery_info=to,
        )

    def ack(self, multiple: bool = False) -> None:
        """There is room for another one."""
        self._state = "ACK"
        self.channel.room += 1

    def ack_log_error(self, logger: Any, errors: Any, multiple: bool = False) -> None:
        """Nothing can go wrong."""
        self.ack()


class Channel(virtual.Channel):
    """Delivers what lies ready."""

    Message = Ready

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.room = ROOM
        self.ready: deque[Ready] = deque()
        self.deliver: Any = None
        self._server = _connected(os.environ.get(TOLD, ""))
        with Path(os.environ[WAITING]).open("r+b") as file:
            self._waiting = mmap.mmap(file.fileno(), WORD)

    def basic_consume(self, queue: str, no_ack: bool, callback: Any, *args: Any, **kwargs: Any) -> Any:
        """Whose the messages are."""
        if queue == QUEUE:
            self.deliver = callback

    def basic_cancel(self, consumer_tag: str) -> None:
        """Nobody else waits for them."""

    def look(self) -> bool:
        """Make what is to lie ready if the queue was filled; whether there is anything to feed, and room for it."""
        if not self.ready:
            jobs = int.from_bytes(self._waiting, sys.byteorder)
            self.ready.extend(Ready(number, self) for number in range(jobs))
        return bool(self.deliver and self.ready and self.room)

    def feed(self) -> None:
        """Hand over what there is room for."""
        while self.ready and self.room:
            self.room -= 1
            if self._server:
                self._tell(self._server)
            self.deliver(self.ready.popleft())
            self._waiting[:] = len(self.ready).to_bytes(WORD, sys.byteorder)

    @staticmethod
    def _tell(server: socket.socket) -> None:
        server.send(STARTS)
        with suppress(BlockingIOError):
            server.recv(ANSWERS)

    def _has_queue(self, queue: str, **_: Any) -> bool:
        return True

    def _new_queue(self, queue: str, **_: Any) -> None:
        pass

    def _put(self, queue: str, message: Any, **_: Any) -> None:
        pass


class Transport(virtual.Transport):
    """Wakes the worker's event loop at once when a channel can be fed, as a socket would."""

    Channel = Channel
    driver_type = driver_name = "ideal"
    implements = virtual.Transport.implements.extend(asynchronous=True)

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """As a transport does that brings messages."""
        always, end = os.pipe()
        os.write(end, b"!")

        def turn() -> None:
            hungry = [channel for channel in connection.channels if channel.look()]
            if hungry:
                loop.add_reader(always, hungry[0].feed)
            else:
                loop.remove_reader(always)

        loop.on_tick.add(turn)


def _connected(address: str) -> socket.socket | None:
    """To the server at "host:port", if there is to be one."""
    if not address:
        return None
    host, port = address.split(":")
    server = socket.create_connection((host, int(port)))
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server.setblocking(False)
    return server


if __name__ == "__main__":
    Path(os.environ[WAITING]).write_bytes(int(sys.argv[2]).to_bytes(WORD, sys.byteorder))
    sys.stdout.write("{}\n")
