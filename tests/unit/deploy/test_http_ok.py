"""deploy/http_ok.py, asked about servers that answer well, badly and not at all."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from project.env import PROJECT_ROOT


class Answers(BaseHTTPRequestHandler):
    """With the status that the path names."""

    def do_GET(self) -> None:
        """`/503` is answered with 503."""
        self.send_response(int(self.path.strip("/")))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def server() -> Iterator[int]:
    """The port of a server that answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running.server_port
        running.shutdown()


def check(*arguments: str | int) -> subprocess.CompletedProcess[str]:
    """Run it as a container would, under a proxy that isn't there."""
    return subprocess.run(
        [sys.executable, "deploy/http_ok.py", *map(str, arguments)],
        cwd=PROJECT_ROOT,
        env={"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code"), [(["/200"], 0), (["/503"], 1), (["/302"], 1), (["/401", "401"], 0), (["/200", "401"], 1)]
)
def test_it_ends_well_for_the_expected_status_alone(arguments: list[str], code: int) -> None:
    """A redirection to a page that would answer is not an answer."""
    with server() as port:
        assert check(port, *arguments).returncode == code


def test_a_port_where_nobody_listens_is_told() -> None:
    """In one line that `docker inspect` shows."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    result = check(port, "/200")

    assert result.returncode == 1
    assert f"port {port} doesn't answer" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_server_that_takes_the_connection_and_says_nothing_is_told() -> None:
    """Docker would kill the check after five seconds, and know nothing of the reason."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        result = check(silent.getsockname()[1], "/200")

    assert result.returncode == 1
    assert "doesn't answer" in result.stderr
