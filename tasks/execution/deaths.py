"""How a job ends that can't be carried out, whoever noticed: the worker's child, its main process, or the relay.

One transaction holds the whole death: the job's end, its error callbacks, what it counts for in a batch or chord, its
unique lock, the dead letter, and what `on_death` does. It is committed before the message is acknowledged; with the
database away it is not acknowledged, and comes again.
"""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

from celery import current_app
from celery.app.task import Context
from django.db import InterfaceError, OperationalError, transaction

from ..enqueue import rows
from ..enqueue.registry import find_task
from ..errors import OutcomeUnknown, Permanent, WorkersLost
from ..failure.blackening import black_out, blackened
from ..failure.letter_models import DeadLetter
from ..failure.letters import letter_note, letter_write
from ..failure.remains import Cause, Remains, of_request
from ..keys import key_for
from .continuation import continue_after_failure
from .jobs import Ended, job_end
from .membership import member_died

log = logging.getLogger(__name__)

Reason = DeadLetter.Reason


def job_die(task: Any, cause: Cause, *, remains: Remains | None = None, calls_back: bool = True) -> bool:
    """End the job that *task*'s request is about as dead, in the caller's transaction.

    task: a task, or a `stand_in`. remains: of the message, where the request doesn't hold all of it.
    calls_back: whether its error callbacks are still to be called.
    False, and nothing is done, when it has ended already, or a later attempt has taken its place.
    """
    remains = (remains or of_request(task.request)) if task.keeps_letters else None
    problem = str(cause) if remains is None else blackened(remains).text(str(cause))
    ended = job_end(task, "dead", problem)
    if not ended:
        return False
    letter = None
    if remains is not None:
        is_new = ended is Ended.ON_RECORD
        letter = letter_write(remains, cause, idempotency_key=key_of(task), is_new=is_new)
        if letter is None:
            return False
    job_bury(task, letter, calls_back=calls_back)
    return True


def job_bury(task: Any, letter: DeadLetter | None, *, calls_back: bool = True) -> None:
    """Let everybody know that the job has died, in the caller's transaction.

    Who can't be told must not keep the job from its end: it would run again, and die again, for ever. The letter tells
    of it.
    """
    for problem in continue_after_failure(task) if calls_back else ():
        letter_note(letter, problem)
    try:
        with transaction.atomic(using=rows.alias()):
            member_died(task)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("the batch of %s[%s] was not told of its death", task.name, task.request.id)
        letter_note(letter, f"its batch was not told: {type(error).__name__}")
    if letter is not None and task.on_death is not None:
        _on_death(task, letter)


def stand_in(remains: Remains) -> Any:
    """What stands for the task of *remains*: the task, with the request as its current one, or what is like it.

    A message may be for a task that isn't here, and its arguments may be none. The relay, or a web process, may not
    have imported the task yet.
    """
    args, kwargs = remains.arguments
    _, _, follows = remains.parts
    context = Context(
        {
            **remains.headers,
            **follows,
            **remains.properties,
            "id": remains.id,
            "task": remains.name,
            "args": args,
            "kwargs": kwargs,
            "retries": remains.retries,
            "delivery_info": {
                "exchange": remains.exchange,
                "routing_key": remains.queue,
                "priority": remains.priority,
                "deliveries": remains.deliveries,
            },
        }
    )
    found = find_task(remains.name)
    return SimpleNamespace(
        name=remains.name,
        app=current_app,
        request=context,
        keeps_letters=True,
        once=getattr(found, "once", None),
        on_death=getattr(found, "on_death", None),
        bound_arguments=getattr(found, "bound_arguments", _unbound),
    )


def reason_for(task: Any, error: BaseException, *, may_pass: bool) -> DeadLetter.Reason:
    """Why *error*, raised by the body or on the way to it, is the end. may_pass: it was of the kind that is retried."""
    from billiard.exceptions import SoftTimeLimitExceeded
    from celery.exceptions import MaxRetriesExceededError

    if isinstance(error, OutcomeUnknown):
        return Reason.OUTCOME_UNKNOWN
    if isinstance(error, WorkersLost):
        return Reason.WORKER_LOST
    if may_pass or isinstance(error, MaxRetriesExceededError):
        return Reason.RETRIES_EXHAUSTED
    if isinstance(error, Permanent):
        return Reason.PERMANENT
    if isinstance(error, SoftTimeLimitExceeded):
        return Reason.SOFT_TIME_LIMIT
    if isinstance(error, TypeError) and arguments_of(task) is None:
        return Reason.WRONG_ARGUMENTS
    return Reason.ERROR


def arguments_of(task: Any) -> dict[str, Any] | None:
    """The job's arguments by parameter name; None when they are not what the task takes."""
    try:
        arguments: dict[str, Any] = task.bound_arguments(tuple(task.request.args), dict(task.request.kwargs))
    except (TypeError, ValueError):
        return None
    return arguments


def key_of(task: Any) -> str:
    """The idempotency key of the job's effect; "" where it has none, or none can be made of its arguments."""
    if not task.once:
        return f"task:{task.request.id}" if getattr(task, "effect", None) else ""
    arguments = arguments_of(task)
    if arguments is None:
        return ""
    try:
        return key_for(task.once, arguments)
    except Exception:  # noqa: BLE001 -- a key is made by the task's own function, which may be why the job died
        return ""


def _on_death(task: Any, letter: DeadLetter) -> None:
    """Call the task's hook. One that fails must not keep the job from its end; the letter tells of it."""
    try:
        with transaction.atomic(using=rows.alias()):
            task.on_death(letter, arguments_of(task) or {})
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        shown = black_out(error, blackened(of_request(task.request)).redaction)
        told = "on_death of %s[%s] failed, and what it wrote is undone"
        log.error(told, letter.name, letter.task_id, exc_info=shown)  # noqa: TRY400 -- with its secrets it would be
        letter_note(letter, f"on_death failed: {type(error).__name__}")


def _unbound(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    raise TypeError("the task isn't here, so nobody knows its parameters")
