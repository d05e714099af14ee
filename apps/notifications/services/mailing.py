"""Handing one mail to the mail server."""

from __future__ import annotations

import smtplib

from django.conf import settings
from django.core.mail import EmailMessage

from tasks import Permanent, Transient


class MailServerAway(Transient):
    """The mail server can't be reached, or says to come again."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the mail server did not take the mail: {self.reason}"


class MailRefused(Permanent):
    """The mail server won't have this mail, now or later."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code, self.reason = code, reason

    def __str__(self) -> str:
        return f"the mail server refused the mail ({self.code}): {self.reason}"


def mail_send(*, to: str, subject: str, body: str, key: str) -> None:
    """Send one plain mail. Raises MailServerAway (transient) or MailRefused (permanent).

    key: names the mail in its Message-ID; sent twice under one key, it is recognisably the same mail.
    """
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip("> ")
    mail = EmailMessage(subject=subject, body=body, to=[to], headers={"Message-ID": f"<{key}@{domain}>"})
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as error:
        code, answer = next(iter(error.recipients.values()))
        raise _refusal(code, answer) from error
    except smtplib.SMTPResponseException as error:
        raise _refusal(error.smtp_code, error.smtp_error) from error
    except (smtplib.SMTPException, OSError) as error:
        raise MailServerAway(str(error) or type(error).__name__) from error


def _refusal(code: int, answer: bytes | str) -> Transient | Permanent:
    """RFC 5321 §4.2.1: 4yz may work later, 5yz won't."""
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return MailRefused(code, text) if code >= 500 else MailServerAway(f"{code} {text}")
