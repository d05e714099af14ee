"""Mail on a real connection to a mail server."""

from __future__ import annotations

import pytest

from apps.notifications.errors import MailMalformed, MailRefused, MailServerAway
from apps.notifications.services.mailing import mail_send
from tests.servers.mail import MailServer


def send(to: str = "ada@example.com", subject: str = "Hello") -> None:
    mail_send(to=to, subject=subject, body="A text.", key="a-key", headers={"X-Kind": "test"})


def test_a_mail_arrives_with_its_headers_and_a_name_of_its_own(mail_server: MailServer) -> None:
    """A mail sent twice must be recognisable as the same one."""
    send()
    send()
    first, second = mail_server.mails
    assert first["To"] == "ada@example.com"
    assert first["X-Kind"] == "test"
    assert first.get_content().strip() == "A text."
    assert first["Message-ID"] == second["Message-ID"] == "<a-key@example.com>"


def test_a_refusal_for_good_is_permanent_and_one_for_now_is_transient(mail_server: MailServer) -> None:
    """RFC 5321: 5yz won't work later, 4yz may."""
    mail_server.answers = {"gone@example.com": "550 no such user", "full@example.com": "452 mailbox full"}
    with pytest.raises(MailRefused, match="no such user"):
        send("gone@example.com")
    with pytest.raises(MailServerAway, match="452"):
        send("full@example.com")


def test_a_mail_server_that_is_away_is_transient(mail_server: MailServer) -> None:
    """It will be back."""
    mail_server.stop()
    with pytest.raises(MailServerAway):
        send()


@pytest.mark.parametrize("to", ["", "a@b\nBcc: everybody@example.com"])
def test_what_is_no_address_is_permanent(mail_server: MailServer, to: str) -> None:
    """Trying again doesn't make it one, and a line break must not add a header."""
    with pytest.raises((MailMalformed, MailRefused)):
        send(to)
    assert mail_server.mails == []


def test_a_line_break_in_a_subject_is_refused(mail_server: MailServer) -> None:
    """It would add a header."""
    with pytest.raises(MailMalformed):
        send(subject="Hello\nBcc: everybody@example.com")
