"""What an attempt writes once it has acted: that the database is in the way just then must not make a failure of it.

    written ──▶ the attempt is over
     │  ▲
     │  └── a lock, a deadlock, a time-out, frozen for too long, a session lost before the commit was asked for:
     │      rolled back for certain, and written again, TRIES times
     └── not even then, or cut off by the soft time limit in the middle of it: NotWritten

After NotWritten the message goes back to the broker as it came, and its next delivery finds what a crash here would
have left. Where a session is lost at the commit, what became of that is unknown, and is not for here (`rows.lost`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from celery.exceptions import SoftTimeLimitExceeded
from django.db import Error, transaction

from ..enqueue import rows
from ..failure.remains import FOLLOWS

if TYPE_CHECKING:
    from ..base import ReliableTask

T = TypeVar("T")

TRIES: Final = 3


class NotWritten(Exception):
    """What the attempt has come to is not on record. Its cause says why."""

    def __str__(self) -> str:
        return f"{type(self.__cause__).__name__}: {self.__cause__}"


def written(task: ReliableTask[..., Any], write: Callable[[], T], *, at_once: bool = False) -> T:
    """Do *write* in a transaction, and commit it. Raises NotWritten.

    What *write* takes out of the request, because it is written, is there again if it was not.
    at_once: *write* is one statement, which commits by itself, and so saves the server being asked twice more.
    """
    request: Any = task.request
    follows = {name: getattr(request, name) for name in FOLLOWS}
    for left in reversed(range(TRIES)):
        session, committing = None, at_once
        try:
            with rows.by_itself() if at_once else transaction.atomic(using=rows.alias()):
                session = rows.session()
                result = write()
                committing = True
        except SoftTimeLimitExceeded as error:  # it is for the body, and that is through
            raise NotWritten from error
        except Error as error:
            if not (rows.in_the_way(error) or (rows.lost(error, session) and not committing)):
                raise
            if not left:
                raise NotWritten from error
            request.update(follows)
        else:
            return result
    raise AssertionError("the last try returns or raises")
