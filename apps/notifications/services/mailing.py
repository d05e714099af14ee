"""Handing one mail to the mail server, and doing it once for a row that says whether it has gone out."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Mapping
from typing import TypeVar

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from tasks import Permanent, Transient

from ..errors import MailMalformed, MailRefused, MailServerAway
from ..models import REFUSAL_MAX_LENGTH, Mail

M = TypeVar("M", bound=Mail)


def mail_send(*, to: str, subject: str, body: str, key: str, headers: Mapping[str, str] | None = None) -> None:
    """Send one plain mail. Raises MailServerAway (transient), or MailRefused or MailMalformed (permanent).

    key: names the mail in its Message-ID; sent twice under one key, it is recognisably the same mail.
    """
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip("> ")
    all_headers = {**(headers or {}), "Message-ID": f"<{key}@{domain}>"}
    mail = EmailMessage(subject=subject, body=body, to=[to], headers=all_headers)
    try:
        sent = mail.send()
    except smtplib.SMTPRecipientsRefused as error:
        code, answer = next(iter(error.recipients.values()))
        raise _refusal(code, answer) from error
    except smtplib.SMTPResponseException as error:
        raise _refusal(error.smtp_code, error.smtp_error) from error
    except (smtplib.SMTPException, OSError) as error:
        raise MailServerAway(str(error) or type(error).__name__) from error
    except ValueError as error:  # Django's, for what is no address or no header; a UnicodeError is one too
        raise MailMalformed(str(error)) from error
    if not sent:  # Django drops it silently
        raise MailMalformed("it has no recipient")


def _refusal(code: int, answer: bytes | str) -> Transient | Permanent:
    """RFC 5321 §4.2.1: 4yz may work later, 5yz won't."""
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return MailRefused(code, text) if code >= 500 else MailServerAway(f"{code} {text}")


def mail_send_once(*, rows: QuerySet[M], pk: int, send: Callable[[M], None]) -> None:
    """Call *send* with the row *pk* of *rows*, locked, unless its mail has gone out or was refused.

    A `Permanent` from *send* is kept on the row, so that nothing tries again, and raised; any other error leaves the
    row waiting. A row that is gone (its user was deleted) is nothing to do.
    """
    try:
        with transaction.atomic():
            row = rows.select_for_update(of=("self",)).filter(pk=pk).first()
            if row is None or not row.is_waiting:
                return
            send(row)
            row.sent_at = timezone.now()
            row.save(update_fields=["sent_at"])
    except Permanent as error:
        rows.filter(pk=pk, sent_at=None).update(refusal=str(error)[:REFUSAL_MAX_LENGTH])
        raise


def mail_take_up(*, rows: QuerySet[M]) -> None:
    """Let mails that were refused be tried once more. One that has gone out stays as it is."""
    rows.filter(sent_at=None).update(refusal="")
