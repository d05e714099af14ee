"""Whose fault it is that a message was not taken: the broker's, the message's own, or nobody can tell yet.

A broker that is away, full, read-only, throttled or out of credentials answers with anything. So a message is to blame
only for what is known to be about it alone; everything else may pass.
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import Any, Final

from amqp.exceptions import ContentTooLarge, FrameSyntaxError, NotFound, PreconditionFailed
from kombu.exceptions import (  # type: ignore[attr-defined]
    BatchPublishError,
    OperationalError,
    SerializationError,
)
from redis.exceptions import DataError

from .routing import Unroutable

SHOWN: Final = 300
"""How much of what a broker says is told."""


class Blame(Enum):
    """BROKER: it takes nothing now. MESSAGE: it will never be taken.

    MAKING: it could not be put into the broker's form; or the client has lost its connection, of which its libraries
    sometimes say the same, so it is the message only if the connection still answers.
    UNKNOWN: it was refused for a reason that may pass.
    """

    BROKER = 1
    MESSAGE = 2
    MAKING = 3
    UNKNOWN = 4


class NotTaken(BatchPublishError):  # type: ignore[misc] # kombu's stubs don't know it
    """The broker has said no to some of so many messages, and taken the others. ids: of the jobs that it has not."""

    def __init__(self, ids: frozenset[str], of: int) -> None:
        super().__init__(ids, of)
        self.ids, self.of = ids, of

    def __str__(self) -> str:
        return f"the broker did not take {len(self.ids)} of {self.of} messages"


_MAKING: Final = (
    TypeError, ValueError, struct.error, SerializationError, DataError,
    FrameSyntaxError,  # amqp's word for a value that it can't write
)  # fmt: skip
_SQS_CODES: Final = ("InvalidMessageContents", "MessageTooLong")


def blame(error: BaseException, lost: tuple[type[BaseException], ...]) -> Blame:
    """Who is to blame for *error*, raised by publishing. lost: what the transport raises for a lost connection."""
    if isinstance(error, NotTaken):
        return Blame.UNKNOWN
    if isinstance(error, BatchPublishError):
        return Blame.BROKER if error.__cause__ is None else blame(error.__cause__, lost)
    if isinstance(error, OSError | OperationalError):
        return Blame.BROKER
    if isinstance(error, _MAKING):
        return Blame.MAKING
    if _is_about_the_message(error):
        return Blame.MESSAGE
    return Blame.BROKER if isinstance(error, lost) else Blame.UNKNOWN


def told(error: BaseException) -> str:
    """*error* in a line. Of a lost connection only its kind: the rest may hold an address."""
    if isinstance(error, BatchPublishError) and error.__cause__ is not None:
        error = error.__cause__
    kind = type(error).__name__
    return kind if isinstance(error, OSError) else f"{kind}: {error}"[:SHOWN]


def _is_about_the_message(error: BaseException) -> bool:
    if isinstance(error, Unroutable | NotFound | ContentTooLarge):
        return True
    if isinstance(error, PreconditionFailed):
        return "message size" in str(error)
    answer: Any = getattr(error, "response", None)  # botocore's ClientError
    if not isinstance(answer, dict):
        return False
    fault = answer.get("Error") or {}
    return fault.get("Code") in _SQS_CODES or "Message must be shorter" in str(fault.get("Message"))
