"""Whether a service answers, asked from outside as its users would."""

from __future__ import annotations

import http.client
import smtplib
from collections.abc import Callable
from pathlib import Path

from project.local.ports import HOST

Probe = Callable[[], bool]

TIMEOUT_SECONDS = 2.0


def http_probe(port: int, path: str, *, status: int = 200) -> Probe:
    """Whether GET *path* is answered with *status*."""

    def answers() -> bool:
        connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == status
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return answers


def smtp_probe(port: int) -> Probe:
    """Whether a mail server greets."""

    def answers() -> bool:
        try:
            with smtplib.SMTP(HOST, port, timeout=TIMEOUT_SECONDS) as client:
                return client.noop()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False

    return answers


def log_probe(log: Path, words: str) -> Probe:
    """Whether a process has written *words* into its log."""
    return lambda: log.exists() and words in log.read_text(errors="replace")
