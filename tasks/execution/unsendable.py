"""A job that the relay sets aside, because the broker refuses its message, is a dead letter."""

from __future__ import annotations

import logging

from django.db import InterfaceError, OperationalError, transaction
from django.dispatch import receiver

from ..enqueue import rows
from ..enqueue.models import OutboxMessage
from ..failure.letters import letter_write
from ..failure.remains import Cause, of_row
from ..signals import message_unsendable
from .deaths import Reason, job_bury, key_of, stand_in

log = logging.getLogger(__name__)


@receiver(message_unsendable, dispatch_uid="tasks_unsendable")
def _set_aside(*, task_id: str, problem: str, **_other: object) -> None:
    """Write its letter, in the transaction in which the relay sets it aside."""
    remains = of_row(OutboxMessage.objects.using(rows.alias()).get(task_id=task_id))
    kind, _, text = problem.partition(": ")
    cause = Cause(reason=Reason.UNSENDABLE, error_type=kind, error_message=text)
    task = stand_in(remains)
    try:
        with transaction.atomic(using=rows.alias()):
            letter = letter_write(remains, cause, idempotency_key=key_of(task), is_new=True)
            if letter is not None:
                job_bury(task, letter)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        # The relay must go on: its batch has been sent. The row says what is wrong, and is kept.
        log.exception("%s[%s] can't be sent, and has no letter", remains.name, task_id)
