"""Why a mail can't be sent or asked for."""

from __future__ import annotations

from datetime import datetime, timedelta

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


class MailMalformed(Permanent):
    """The mail can't be written down: its address or a header isn't one."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the mail can't be written: {self.reason}"


class NoAddress(Permanent):
    """The account has no e-mail address."""

    def __init__(self, username: str) -> None:
        super().__init__(username)
        self.username = username

    def __str__(self) -> str:
        return f"the account {self.username!r} has no e-mail address"


class NotSubscribed(Permanent):
    """The newsletter was to go to somebody who has ended the subscription meanwhile."""

    def __init__(self, username: str) -> None:
        super().__init__(username)
        self.username = username

    def __str__(self) -> str:
        return f"{self.username!r} has ended the subscription"


class DueOutOfRange(ValueError):
    """A reminder is asked for in the past, or too far ahead."""

    def __init__(self, due_at: datetime, most_ahead: timedelta) -> None:
        super().__init__(due_at, most_ahead)
        self.due_at, self.most_ahead = due_at, most_ahead

    def __str__(self) -> str:
        return f"a reminder must be due within the next {self.most_ahead.days} days, not at {self.due_at.isoformat()}"


class TokenInvalid(ValueError):
    """An unsubscribe link was not made by us, or not whole."""

    def __str__(self) -> str:
        return "this link is not complete, or was not made here"
