"""A web server on loopback that answers as a test says, well or badly, down to the bytes on the wire."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

# Writes the answer to the connection. The request has been read up to its empty line.
Answer = Callable[[socket.socket], None]


class WebServer:
    """Answers each path as `answers` says, 404 otherwise; `asked` is what was asked for, in order."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.requests: list[bytes] = []
        self.closing = Event()
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        """Where *path* is found."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def serve(self) -> None:
        """Answer until closed; each connection in a thread of its own."""
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                Thread(target=self._answer, args=(connection,), daemon=True).start()

    def close(self) -> None:
        """Stop listening, and let answers without an end notice."""
        self.closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            request = b""
            while b"\r\n\r\n" not in request:
                part = connection.recv(65536)
                if not part:
                    return
                request += part
            path = request.split(b" ", 2)[1].decode("ascii")
            self.asked.append(path)
            self.requests.append(request)
            self.answers.get(path, body(b"nothing here", status="404 Not Found"))(connection)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
            connection.close()


def body(content: bytes, *, status: str = "200 OK", headers: str = "") -> Answer:
    """A whole, honest answer. *headers*: lines ending in CRLF.

    It says that the connection ends with it, or a client might send its next request just when that is closed.
    """
    lines = f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n{headers}\r\n"
    head = lines.encode("latin-1")
    return lambda connection: connection.sendall(head + content)


def redirect(location: str, *, status: str = "302 Found") -> Answer:
    """Go elsewhere."""
    return body(b"", status=status, headers=f"Location: {location}\r\n")


def endless(server: WebServer, *, chunk: bytes, pause: float = 0, head: bytes | None = None) -> Answer:
    """An answer that goes on until the client or the server hangs up."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" if head is None else head)
        with suppress(OSError):
            while not server.closing.wait(pause):
                connection.sendall(chunk)

    return answer


def late(server: WebServer, answer: Answer, *, seconds: float) -> Answer:
    """*answer* after a while."""

    def wait(connection: socket.socket) -> None:
        server.closing.wait(seconds)
        answer(connection)

    return wait


def in_turn(*answers: Answer) -> Answer:
    """The first answer to the first request, and so on."""
    left = iter(answers)

    def answer(connection: socket.socket) -> None:
        next(left)(connection)

    return answer


@contextmanager
def web_server(tls: ssl.SSLContext | None = None) -> Iterator[WebServer]:
    """A server for the time of the block."""
    server = WebServer(tls)
    thread = Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(5)
