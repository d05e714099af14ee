"""A mail server on loopback that takes or refuses mail as a test says."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pytest_django import Settings

from project.local.ports import HOST, FreePorts


class MailServer:
    """`mails` are those that it took, in order. `answers` maps an address to what it says instead of taking it."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answers: dict[str, str] = {}
        self._controller = Controller(self, hostname=HOST, port=FreePorts().pick("mail"), ready_timeout=60)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._controller.port)

    @property
    def recipients(self) -> list[str]:
        """Whom the mails that it took are for."""
        return [mail["To"] for mail in self.mails]

    def start(self) -> None:
        """Listen."""
        self._controller.start()

    def stop(self) -> None:
        """Stop listening."""
        if self._controller.loop.is_running():
            self._controller.stop()

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[Any]
    ) -> str:
        """Take the address or say what the test wants said."""
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the mail."""
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(email.message_from_bytes(content, policy=email.policy.default))
        return "250 OK"


@pytest.fixture
def mail_server(settings: Settings) -> Iterator[MailServer]:
    """A mail server that Django's settings point at."""
    server = MailServer()
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"  # pytest-django puts a list in its place
    settings.EMAIL_HOST, settings.EMAIL_PORT = HOST, server.port
    yield server
    server.stop()
