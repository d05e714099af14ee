"""One attempt at a job: begin, effect, continuation, end, each committed so that a crash between any two is harmless.

    plain      begin │ body │ [ next links + end ]
    database   begin │ [ claim + body + result + next links + end ]
    external   begin │ claim │ body │ [ result + next links + end ]

`│` is a commit, brackets are one transaction. After a crash the broker delivers again, and the second delivery finds:
a job that has ended (dropped), a key that is done (the stored result, nothing run), a claim whose holder vanished
(outcome unknown, to be settled), or nothing (run).

The same where the database's answer is lost: whether the last transaction was committed is unknown then, so the
message goes back to the broker as it came, and its next delivery looks. Nothing else could be written anyway. And where
something stays in the way of writing the end of what has happened already (`writing`): a lock is no failure of the job.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn

from celery.exceptions import Ignore, Reject, Retry
from django.db import DatabaseError, InterfaceError, OperationalError, connections, transaction
from django.utils import timezone

from .. import crashpoints
from ..conf import conf
from ..enqueue import rows
from ..errors import WorkersLost
from ..failure.blackening import Withheld, black_out, blackened
from ..failure.breaker import Held, Permit, breaker_of
from ..failure.letter_models import JobAttempt
from ..failure.letters import attempt_write
from ..failure.remains import FOLLOWS, Cause, of_request
from ..signals import attempt_failed
from .deaths import Reason, job_die, reason_for
from .effects import EFFECTS
from .giving_up import GivenUp, job_give_up
from .jobs import job_begin, job_give_back, job_try_again
from .losses import worker_lost
from .verdict import may_pass, verdict
from .writing import NotWritten

if TYPE_CHECKING:
    from ..base import ReliableTask

log = logging.getLogger(__name__)

# How long a child whose database is away holds a message before the broker gets it back.
DATABASE_AWAY_PAUSE: Final = timedelta(seconds=5)


def attempt(task: ReliableTask[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run one delivery of *task*; the value is what Celery's tracer takes for the body's."""
    request: Any = task.request
    crashpoints.reach("before_claim", task.name)
    follows = {name: getattr(request, name) for name in FOLLOWS}
    permit: Permit | None = None
    began_at, session = timezone.now(), None
    try:
        _begin(task)
        permit, began_at = _admitted(task), timezone.now()
        session = rows.session()
        result = EFFECTS[task.effect](task, args, kwargs)
    except GivenUp:
        _give_up(task)
        raise
    except Ignore:
        raise
    except (Retry, Reject) as told:
        _shown(task, told)
        raise
    except Exception as error:  # noqa: BLE001 -- raised below
        # What was taken out of the request to be written was not written, or was rolled back.
        request.update(follows)
        failure = error
    else:
        _tell_success(task, permit)
        return result
    # Not in the block above: whatever is raised or logged in there carries the error along, with all that it shows.
    if rows.lost(failure, session) or isinstance(failure, NotWritten):
        _hand_back(_shown(task, failure))
    raise _failed(task, failure, permit, began_at)


def _begin(task: ReliableTask[..., Any]) -> None:
    """Raises Ignore for a job that must not run, Reject while nobody can tell: nothing was tried, nothing failed.

    Raises WorkersLost for one that has taken too many workers with it.
    """
    request: Any = task.request
    try:
        if task.keeps_letters and (request.delivery_info or {}).get("redelivered"):
            _refuse_killer(task)
        begun = _begun(task)
    except (DatabaseError, InterfaceError) as error:  # away, or the job's row is locked by who is ending it
        if not (isinstance(error, OperationalError | InterfaceError) or rows.in_the_way(error)):
            raise
        _hand_back(error)
    if not begun:
        raise Ignore


def _refuse_killer(task: ReliableTask[..., Any]) -> None:
    """Raises WorkersLost for a job that has taken too many workers with it."""
    lost = Cause(reason=Reason.WORKER_LOST, error_type="WorkerLost", error_message="the worker died while it ran this")
    with transaction.atomic(using=rows.alias()):
        is_over = worker_lost(
            task, lost, limit=timedelta(seconds=task.time_limit or task.app.conf.task_time_limit or 0)
        )
    if is_over:
        raise WorkersLost(str(task.name), conf().deaths_max)


def _begun(task: ReliableTask[..., Any]) -> bool:
    session = rows.session()
    try:
        return job_begin(task)
    except (OperationalError, InterfaceError) as error:
        if not rows.lost(error, session):
            raise
    # The connection was kept from the job before, and had died since.
    return job_begin(task)


def _admitted(task: ReliableTask[..., Any]) -> Permit | None:
    """What a task with a budget needs to be run. Raises Ignore when its circuit is open: the job comes again later."""
    if task.budget is None:
        return None
    try:
        answer = breaker_of(str(task.name), task.budget).admit()
        if isinstance(answer, Held):
            job_give_back(task, answer.wait)
            raise Ignore
    except (OperationalError, InterfaceError) as error:
        _hand_back(error)
    return answer


def _give_up(task: ReliableTask[..., Any]) -> None:
    """End a job whose body has given it up."""
    try:
        job_give_up(task)
    except Exception as error:
        # As with a failure: rather let it come again than have it stay started when its message is acknowledged.
        log.exception("the end of %s[%s] could not be written down", task.name, task.request.id)
        _hand_back(error)


def _tell_success(task: ReliableTask[..., Any], permit: Permit | None) -> None:
    """The job has succeeded on record; a circuit that can't be told of it must not make a failure of that."""
    if permit is None:
        return
    try:
        permit.succeeded()
    except (DatabaseError, InterfaceError):
        log.exception("the circuit of %s was not told that %s succeeded", task.name, task.request.id)


def _failed(task: ReliableTask[..., Any], error: Exception, permit: Permit | None, began_at: datetime) -> Exception:
    """Write what comes of *error*. Raises Retry, Reject or Ignore.

    Returns when the job has failed for good: what of the error Celery may log, and send to whoever listens.
    """
    again, retry = None, None
    try:
        again = verdict(task, error, permit=permit, began_at=began_at)
        cause = Cause.of(reason_for(task, error, may_pass=may_pass(task, error)), error)
        shown = _shown(task, error)
        with transaction.atomic(using=rows.alias()):
            _tell(task, shown, again=again is not None)
            if again is None or again.is_counted:
                _keep(task, cause, began_at, again=again is not None)
            if again is not None and again.is_counted:
                retry = job_try_again(task, again.wait, shown)
            elif again is not None:
                job_give_back(task, again.wait)
            elif job_die(task, cause):
                return shown
    except (OperationalError, InterfaceError):
        _hand_back(error)
    except Exception:
        # Rather than losing the job: let it come again, until whatever is wrong here is put right.
        log.exception("the failure of %s[%s] could not be written down", task.name, task.request.id)
        _hand_back(error)
    if retry is not None:
        raise retry from shown
    if again is None:
        log.error("an attempt at %s[%s] failed after the job had gone on", task.name, task.request.id, exc_info=shown)
    raise Ignore from shown


def _shown(task: ReliableTask[..., Any], error: Exception) -> Exception:
    """What of *error* may be shown: the same, its secrets blacked out, or what stands for it."""
    if not task.keeps_letters:
        return error
    try:
        redaction = blackened(of_request(task.request)).redaction
    except Exception:  # noqa: BLE001 -- the body may have put anything into its arguments, and no job is lost for that
        return Withheld(type(error).__qualname__, "what it says is kept back, as the job's arguments can't be read")
    return black_out(error, redaction)


def _keep(task: ReliableTask[..., Any], cause: Cause, began_at: datetime, *, again: bool) -> None:
    """Write the attempt down, for the letter that may come of it."""
    if task.keeps_letters:
        request: Any = task.request
        outcome = JobAttempt.Outcome.RETRIED if again else JobAttempt.Outcome.FAILED
        attempt_write(of_request(request), cause, outcome, begun_at=began_at, worker=request.hostname or "")


def _tell(task: ReliableTask[..., Any], error: Exception, *, again: bool) -> None:
    """Send `attempt_failed`. A receiver that fails must not keep the job from its end."""
    try:
        with transaction.atomic(using=rows.alias()):
            attempt_failed.send(sender=type(task), task=task, error=error, again=again)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("a receiver of attempt_failed failed for %s[%s]", task.name, task.request.id)


def _hand_back(error: Exception) -> NoReturn:
    """The message goes back to the broker as it came."""
    connections[rows.alias()].close_if_unusable_or_obsolete()
    time.sleep((DATABASE_AWAY_PAUSE * conf().retry_time_scale).total_seconds())
    raise Reject(f"the database did not answer: {error}", requeue=True) from error
