"""httpcore's network with one deadline for everything: the name, the connection, each read and each write.

A time-out for each read bounds nothing: whoever sends a byte now and then is waited for without end, be it in the
body or among the headers.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from queue import Empty, SimpleQueue
from ssl import SSLContext
from threading import Thread
from typing import Any

import httpcore

# Every address of a name, written out. Raises socket.gaierror. Blocks as long as the system's resolver does.
Resolver = Callable[[str, int], list[str]]


class Deadline:
    """The moment by which everything has to be done, however many reads it takes. It begins when it is made."""

    def __init__(self, total: timedelta) -> None:
        self.total = total
        self.begin()

    def begin(self) -> None:
        """Begin anew: from now on there is all the time again."""
        self._ends = time.monotonic() + self.total.total_seconds()

    def remaining(self) -> float:
        """Seconds left, above zero. Raises httpcore.ReadTimeout when there are none."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the deadline has passed")
        return left


def resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver, as a connection would."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in answers))


class TimedBackend(httpcore.NetworkBackend):
    """httpcore's network, with every wait cut at *deadline*. Raises what *resolver* raises, and httpcore's errors."""

    def __init__(self, *, deadline: Deadline, resolver: Resolver = resolve) -> None:
        self._deadline = deadline
        self._resolver = resolver
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of *host* that answers."""
        addresses = self._resolve(host, port)
        self.check_addresses(host, addresses)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for position, address in enumerate(addresses):
            # An address that swallows packets must leave time for the next one.
            patience = self._deadline.remaining() / (len(addresses) - position)
            try:
                stream = self._network.connect_tcp(address, port, patience, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            self.check_connected(host, stream)
            return TimedStream(stream, self._deadline)
        raise failure

    def check_addresses(self, host: str, addresses: list[str]) -> None:
        """Called before any of them is connected to. What it raises is the end."""

    def check_connected(self, host: str, stream: httpcore.NetworkStream) -> None:
        """Called with each connection before it is used; closes what it refuses."""

    def _resolve(self, host: str, port: int) -> list[str]:
        """Resolve within the deadline: getaddrinfo takes no time-out, so a thread that may be left waits."""
        answer: SimpleQueue[list[str] | BaseException] = SimpleQueue()

        def ask() -> None:
            try:
                answer.put(self._resolver(host, port))
            except BaseException as error:  # noqa: BLE001 -- raised where the answer is awaited
                answer.put(error)

        Thread(target=ask, name=f"resolve-{host}", daemon=True).start()
        try:
            result = answer.get(timeout=self._deadline.remaining())
        except Empty:
            raise httpcore.ConnectTimeout(f"{host} was not resolved in time") from None
        if isinstance(result, BaseException):
            raise result
        return result


class TimedStream(httpcore.NetworkStream):
    """A stream whose reads and writes end at the deadline, so that a slow drip can't go on for ever."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.remaining())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.remaining())

    def close(self) -> None:
        with suppress(OSError):
            self._stream.close()

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.remaining())
        return TimedStream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
