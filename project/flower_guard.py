"""Flower behind a password on every route.

Flower 2.2 asks for its basic authentication in its own pages, but leaves `/metrics`, `/healthcheck`, static files, the
login routes, unknown addresses and every OPTIONS request open. Here one place decides before any of its handlers is
chosen. `flowerconfig.py` puts this class into Flower, so `celery -A project flower` itself is guarded.
"""

from __future__ import annotations

import hmac
from base64 import b64decode
from binascii import Error as NotBase64
from typing import Any

from flower import command
from flower.app import Flower
from tornado.httputil import HTTPServerRequest
from tornado.web import HTTPError, RequestHandler


class Locked(RequestHandler):
    """Answers every method with 401."""

    SUPPORTED_METHODS = ("GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS")

    def prepare(self) -> None:
        """Refuse before anything else is looked at."""
        self.set_header("WWW-Authenticate", 'Basic realm="flower", charset="UTF-8"')
        raise HTTPError(401)

    def check_xsrf_cookie(self) -> None:
        """Nothing is done here that could be forged; the answer is 401, not 403."""

    def write_error(self, status_code: int, **_: Any) -> None:
        """Say no more than the status."""
        self.finish("Access denied" if status_code == 401 else "")


class GuardedFlower(Flower):  # type: ignore[misc]
    """Flower whose every route asks for the password. Raises ValueError when there is none to ask for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if not self.options.basic_auth:
            raise ValueError("Flower has no password: put FLOWER_BASIC_AUTH=user:password in the environment.")
        self._accepted = [entry.encode() for entry in self.options.basic_auth]

    @property
    def broker_uri_with_password(self) -> str:
        """What Flower reads the depths of queues with: it knows Redis, and not our way of taking jobs from it."""
        return str(super().broker_uri_with_password).replace("+lease://", "://", 1)

    def find_handler(self, request: HTTPServerRequest, **options: Any) -> Any:
        """The handler of the route, or a locked door."""
        if not self._admits(request.headers.get("Authorization", "")):
            return self.get_handler_delegate(request, Locked)
        return super().find_handler(request, **options)

    def _admits(self, header: str) -> bool:
        scheme, _, encoded = header.partition(" ")
        try:
            offered = b64decode(encoded.strip(), validate=True)
        except (NotBase64, ValueError):
            return False
        fits = [hmac.compare_digest(offered, accepted) for accepted in self._accepted]
        return scheme.lower() == "basic" and any(fits)


def guard() -> None:
    """Make the `flower` command use the guarded application."""
    command.Flower = GuardedFlower
