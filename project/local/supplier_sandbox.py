"""A supplier for this machine: a paged catalogue feed that changes, and can be told to go wrong.

python -m project.local.supplier_sandbox --host 127.0.0.1 --port 12112 --every 60

GET  /offers?limit=200&cursor=…   the feed: ETag, If-None-Match, a cursor that stays on the version it began with
GET  /sandbox/health              {"status": "ok", "version": 3}
GET  /sandbox/requests            what was asked for so far: cursor, If-None-Match, status
POST /sandbox/version             {"version": 4}: the catalogue is another one from now on
POST /sandbox/faults              {"fault": "status", "status": 503, "retry_after": 30, "cursor": "v3-9", "times": 2}
                                  fault: status, slow (with "seconds"), malformed, cut, huge; cursor: null for any page

The catalogue is made of nothing but its version, so the same version is the same catalogue, in every process.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

WARES: Final = ("Grafting wax", "Raffia", "Budding knife", "Rootstock, bare", "Grafting tape", "Tree guard", "Stake")
MAX_LIMIT: Final = 500
MAX_BODY_BYTES: Final = 64 * 1024
FAULTS: Final = ("status", "slow", "malformed", "cut", "huge")


def catalogue(version: int, size: int) -> list[dict[str, Any]]:
    """The offers of *version*. From one to the next a tenth changes its price, and one in fifty is missing."""
    return [_offer(number, version) for number in range(size) if (number + version) % 50]


def _offer(number: int, version: int) -> dict[str, Any]:
    changes = (version + number % 10) // 10
    return {
        "sku": f"SUP-{number:04d}",
        "name": f"{WARES[number % len(WARES)]} no. {number}",
        "price_cents": 200 + (number * 37 + changes * 11) % 5000,
        "available": (number * 13 + changes * 7) % 90,
    }


class SupplierServer(ThreadingHTTPServer):
    """Listens from the moment it is made. *every*: seconds after which the version grows by one; 0 for never."""

    daemon_threads = True  # a slow answer does not keep the process

    def __init__(self, address: tuple[str, int], *, size: int, every: float) -> None:
        self.size, self.every = size, every
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.requests: list[dict[str, Any]] = []
        self.faults: list[dict[str, Any]] = []
        self._version, self._since = 1, time.monotonic()
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        """As the base class, without its look-up of the host's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    @property
    def version(self) -> int:
        """The catalogue's version now."""
        grown = int((time.monotonic() - self._since) / self.every) if self.every else 0
        return self._version + grown

    def set_version(self, version: int) -> None:
        """The catalogue is *version* from now on, and grows from there."""
        self._version, self._since = version, time.monotonic()

    def take_fault(self, cursor: str | None) -> dict[str, Any] | None:
        """The fault that strikes a request for that page now, counted."""
        with self.lock:
            for fault in self.faults:
                if fault["times"] > 0 and fault.get("cursor") in (None, cursor):
                    fault["times"] -= 1
                    return fault
        return None


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: SupplierServer
    protocol_version = "HTTP/1.1"
    server_version = "supplier-sandbox"
    timeout = 60
    wbufsize = -1

    def do_GET(self) -> None:
        """The feed, and what the sandbox knows of itself."""
        url = urlsplit(self.path)
        if url.path == "/sandbox/health":
            self._json(200, {"status": "ok", "version": self.server.version})
        elif url.path == "/sandbox/requests":
            self._json(200, {"requests": self.server.requests})
        elif url.path == "/offers":
            query = {name: values[-1] for name, values in parse_qs(url.query).items()}
            self._feed(query.get("cursor"), query.get("limit", "200"))
        else:
            self._json(404, {"error": "not found"})

    def do_POST(self) -> None:
        """What a test or a person tells the sandbox."""
        try:
            length = int(self.headers.get("Content-Length") or 0)
            told = json.loads(self.rfile.read(min(length, MAX_BODY_BYTES)))
            self._told(urlsplit(self.path).path, told)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._json(400, {"error": f"{type(error).__name__}: {error}"})

    def _told(self, path: str, told: dict[str, Any]) -> None:
        if path == "/sandbox/version":
            self.server.set_version(int(told["version"]))
            self._json(200, {"version": self.server.version})
        elif path == "/sandbox/faults":
            if told["fault"] not in FAULTS:
                raise ValueError(f"there are the faults {', '.join(FAULTS)}")
            with self.server.lock:
                self.server.faults.append({"times": 1, **told})
            self._json(200, {"faults": self.server.faults})
        else:
            self._json(404, {"error": "not found"})

    def _feed(self, cursor: str | None, limit: str) -> None:
        asked = re.fullmatch(r"v(\d{1,9})-(\d{1,9})", cursor) if cursor else None
        if (cursor and not asked) or not limit.isdigit() or not 1 <= int(limit) <= MAX_LIMIT:
            self._json(400, {"error": "no such cursor or limit"})
            return
        version, start = (int(asked[1]), int(asked[2])) if asked else (self.server.version, 0)
        fault = self.server.take_fault(cursor)
        etag = f'"v{version}"'
        if fault and self._strike(fault, cursor):
            return
        if not cursor and self.headers.get("If-None-Match") == etag:
            self._note(cursor, 304)
            self._send(304, b"", {"ETag": etag})
            return
        offers = catalogue(version, self.server.size)
        end = start + int(limit)
        following = f"v{version}-{end}" if end < len(offers) else None
        self._note(cursor, 200)
        self._json(200, {"offers": offers[start:end], "next_cursor": following}, {"ETag": etag})

    def _strike(self, fault: dict[str, Any], cursor: str | None) -> bool:
        """Go wrong as told; return whether that was the answer."""
        kind = fault["fault"]
        if kind == "slow":
            self.server.stopping.wait(float(fault.get("seconds", 5)))
            return False
        self._note(cursor, fault.get("status", 500) if kind == "status" else kind)
        if kind == "status":
            wait = {"Retry-After": str(fault["retry_after"])} if "retry_after" in fault else {}
            self._json(int(fault.get("status", 500)), {"error": "told to fail"}, wait)
        elif kind == "malformed":
            self._send(200, b'{"offers": [{"sku": "SUP-0001", "price_', {"Content-Type": "application/json"})
        elif kind == "huge":
            self._send(200, b'{"offers": [' + b" " * 8 * 1024 * 1024, {"Content-Type": "application/json"})
        else:
            self.close_connection = True
        return True

    def _note(self, cursor: str | None, status: int | str) -> None:
        known = self.headers.get("If-None-Match")
        with self.server.lock:
            self.server.requests.append({"cursor": cursor, "if_none_match": known, "status": status})
            del self.server.requests[:-1000]

    def _json(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- http.server's name
        """Say nothing: /sandbox/requests tells."""


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="python -m project.local.supplier_sandbox",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=12112, help="port, 0 for any free one (%(default)s)")
    parser.add_argument("--offers", type=int, default=450, help="how many offers there are (%(default)s)")
    parser.add_argument("--every", type=float, default=0.0, help="seconds after which the catalogue changes; 0: never")
    arguments = parser.parse_args()
    server = SupplierServer((arguments.host, arguments.port), size=arguments.offers, every=arguments.every)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stopping.set())
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    host, port = server.server_address[:2]
    print(f"supplier sandbox: http://{host!s}:{port}", flush=True)
    server.stopping.wait()
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    main()
