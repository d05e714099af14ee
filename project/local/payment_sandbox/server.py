"""HTTP around the sandbox: a thread a connection, bodies bounded, every error in Stripe's shape."""

from __future__ import annotations

import json
import secrets
import socketserver
import sys
import traceback
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from .api import Api, Request, authorize
from .books import Books
from .control import control
from .errors import ApiError, failure, invalid_request
from .faults import ConnectionCut, Faults
from .form import form_decode
from .keys import Answer

MAX_BODY_BYTES: Final = 64 * 1024
DRAINED_BYTES: Final = 1024 * 1024
FORM: Final = "application/x-www-form-urlencoded"


class SandboxServer(ThreadingHTTPServer):
    """Listens from the moment it is made. Raises OSError when it can't."""

    request_queue_size = 128
    daemon_threads = True  # a hanging request does not keep the process

    def __init__(self, address: tuple[str, int], books: Books) -> None:
        self.books = books
        self.faults = Faults()
        self.api = Api(books)
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        """As the base class, without its look-up of the host's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is no error of ours."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: SandboxServer
    protocol_version = "HTTP/1.1"
    server_version = "payment-sandbox"
    timeout = 60  # seconds that a connection may be silent
    wbufsize = -1  # the head and the body of an answer leave together
    disable_nagle_algorithm = True

    def _respond(self) -> None:
        path = urlsplit(self.path).path
        key = self.headers.get("Idempotency-Key")
        request_id = _new_request_id()
        try:
            body = self._body()
            if path.startswith("/sandbox/"):
                answered = control(self.server.books, self.server.faults, self.command, path, body)
                answer = Answer(200, answered, request_id)
            else:
                authorize(self.headers.get("Authorization"))
                form = form_decode(self._encoded_form(body))
                answer = self._api_answer(Request(self.command, path, form, key, request_id))
        except ApiError as error:
            answer = Answer(error.status, error.body, request_id)
        except ConnectionCut:
            self.close_connection = True
            self._log(path, key, "connection cut")
            return
        except Exception:  # noqa: BLE001 -- whatever it is, the caller gets an answer and the log the reason
            traceback.print_exc()
            answer = Answer(500, failure(500).body, request_id)
        self._send(answer, key)
        if path != "/sandbox/health":
            self._log(path, key, f"{answer.status}{' replayed' if answer.original_request_id else ''}")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _respond  # noqa: N815

    def _api_answer(self, request: Request) -> Answer:
        fault = self.server.faults.take(request.key)
        if fault is not None and fault.when == "before":
            fault.strike()
        during = fault if fault is not None and fault.when == "during" else None
        answer = self.server.api.answer(request, during)
        if fault is not None and fault.when == "after":
            fault.strike()
        return answer

    def _encoded_form(self, body: bytes) -> str:
        if self.command != "POST":
            return urlsplit(self.path).query
        if body and self.headers.get_content_type() != FORM:
            raise invalid_request(f"Check that your POST content type is {FORM}.")
        try:
            return body.decode()
        except UnicodeDecodeError:
            raise invalid_request("The form is not UTF-8.") from None

    def _body(self) -> bytes:
        """The body, whole. After a refusal the connection closes: what follows on it is unknown."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise invalid_request("A body needs a Content-Length.", status=411)
        if not (length.isascii() and length.isdigit()) or len(length) > 12:
            self.close_connection = True
            raise invalid_request("The Content-Length is not a number of bytes.")
        if int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            self.rfile.read(min(int(length), DRAINED_BYTES))  # closed before it was read, the answer would be lost
            raise invalid_request(f"The body is larger than {MAX_BODY_BYTES} bytes.", status=413)
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionCut
        return body

    def _send(self, answer: Answer, key: str | None) -> None:
        content = json.dumps(answer.body, indent=2).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Request-Id", answer.request_id)
        if key is not None:
            self.send_header("Idempotency-Key", key)
        if answer.original_request_id:
            self.send_header("Idempotent-Replayed", "true")
            self.send_header("Original-Request", answer.original_request_id)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses (a malformed request, a strange method), in Stripe's shape."""
        self.close_connection = True
        error = invalid_request(message or explain or HTTPStatus(code).phrase, status=code)
        self.command = getattr(self, "command", None) or "GET"
        self._send(Answer(error.status, error.body, _new_request_id()), None)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Silent: `_log` writes one line when a request is over."""

    def _log(self, path: str, key: str | None, outcome: str) -> None:
        self.log_message("%s %s%s: %s", self.command, path, f" {key}" if key else "", outcome)


def _new_request_id() -> str:
    return f"req_{secrets.token_hex(7)}"
