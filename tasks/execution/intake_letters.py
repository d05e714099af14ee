"""Makes dead letters of what the leased transport has taken out of circulation. Runs in the relay's process.

    intake ──read──▶ letter, committed ──▶ removed from the intake

Dies between the two: the entry is read again, and its letter is there already. Two relays at once: the same. An entry
that can't be buried stays, and keeps no other from its letter.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from celery import Celery
from django.db import InterfaceError, OperationalError, transaction

from ..delivery.intake import DIED_TOO_OFTEN, IntakeEntry, intake_peek, intake_remove
from ..enqueue import rows
from ..enqueue.relay import BrokerAway
from ..failure.letter_models import JobAttempt
from ..failure.letters import attempt_write
from ..failure.remains import Cause
from .deaths import Reason
from .messages import message_die, remains_of_bytes

log = logging.getLogger(__name__)

BATCH: Final = 100


class IntakeLetters:
    """Empties the intake of the broker that *app* is configured for, if that has one."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._connection: Any = None

    def __call__(self) -> int:
        """Take one batch; return how many entries. Raises BrokerAway."""
        scheme = str(self._app.conf.broker_url or "").partition("://")[0]
        if not scheme.endswith("+lease"):
            return 0
        try:
            channel = self._connected().default_channel
            return intake_bury(channel.client, prefix=getattr(channel, "global_keyprefix", ""))
        except Exception as error:
            lost = self._connection.connection_errors if self._connection is not None else ()
            self.close()
            if isinstance(error, lost):
                raise BrokerAway(type(error).__name__) from error
            raise

    def close(self) -> None:
        """Drop the connection; the next call makes a new one."""
        if self._connection is not None:
            self._connection.release()
            self._connection = None

    def _connected(self) -> Any:
        if self._connection is None:
            self._connection = self._app.connection_for_write()
            self._connection.ensure_connection(max_retries=1, timeout=5)
        return self._connection


def intake_bury(client: Any, *, prefix: str = "", limit: int = BATCH) -> int:
    """Write the letters of the first *limit* entries, then remove these; return how many. client: answers in bytes.

    One that can't be buried stays, and is raised when the others are.
    """
    buried, left = [], []
    for entry in intake_peek(client, limit=limit, prefix=prefix):
        try:
            with transaction.atomic(using=rows.alias()):
                _bury(entry)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            log.exception("%s stays in the intake", entry.id)
            left.append(error)
        else:
            buried.append(entry.id)
    intake_remove(client, buried, prefix=prefix)
    if left:
        raise left[0]
    return len(buried)


def _bury(entry: IntakeEntry) -> None:
    remains = remains_of_bytes(entry.raw, tag=entry.id, queue=entry.queue, deliveries=entry.delivered)
    if entry.reason == DIED_TOO_OFTEN:
        cause = Cause(
            reason=Reason.WORKER_LOST,
            error_type="WorkersLost",
            error_message=f"{entry.died} workers died while they ran it",
        )
    else:
        cause = Cause(
            reason=Reason.UNDECODABLE,
            error_type="Undeliverable",
            error_message=f"no worker can be given it: {entry.reason.replace('_', ' ')}",
        )
    if not message_die(remains, cause):
        log.warning("%s came out of the intake as %s, and has its letter already", remains.id, entry.reason)
        return
    attempt_write(remains, cause, JobAttempt.Outcome.FAILED, begun_at=None, worker=entry.owner)
