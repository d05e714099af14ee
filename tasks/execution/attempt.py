"""One attempt at a job: begin, effect, continuation, end, each committed so that a crash between any two is harmless.

    plain      begin │ body │ [ next links + end ]
    database   begin │ [ claim + body + result + next links + end ]
    external   begin │ claim │ body │ [ result + next links + end ]

`│` is a commit, brackets are one transaction. After a crash the broker delivers again, and the second delivery finds:
a job that has ended (dropped), a key that is done (the stored result, nothing run), a claim whose holder vanished
(outcome unknown, to be settled), or nothing (run).
"""

from __future__ import annotations

from contextvars import ContextVar
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from celery.exceptions import Ignore, Reject, Retry, SoftTimeLimitExceeded
from django.db import transaction
from django.utils import timezone

from .. import crashpoints
from ..conf import conf
from ..enqueue import rows
from ..errors import OutcomeUnknown, Permanent, Transient
from ..keys import fingerprint, key_for
from .continuation import continue_after, continue_after_failure, drop_continuation
from .jobs import job_begin, job_end, job_give_back, job_try_again
from .ledger import Busy, Claim, Done
from .ledgers.postgres import PostgresLedger
from .membership import member_died, member_succeeded
from .settlement import Settled

if TYPE_CHECKING:
    from ..base import ReliableTask

LEDGER: Final = PostgresLedger()
GIVEN_BACK_FOR: Final = timedelta(seconds=1)


class Effect(Protocol):
    """How a task's kind of effect is carried out."""

    def __call__(self, task: ReliableTask[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], /) -> Any: ...


current_key: ContextVar[str] = ContextVar("tasks_current_key", default="")


def attempt(task: ReliableTask[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run one delivery of *task*; the value is what Celery's tracer takes for the body's."""
    request: Any = task.request
    crashpoints.reach("before_claim", task.name)
    if not job_begin(request.id, request.retries):
        raise Ignore
    retryable: tuple[type[Exception], ...] = (Transient, *task.retry_on)
    try:
        return _EFFECTS[task.effect](task, args, kwargs)
    except (Retry, Ignore, Reject):
        raise
    except Exception as error:
        wait = None
        if isinstance(error, retryable) and not isinstance(error, Permanent):
            wait = task.retry_policy.wait(request.retries)
        with transaction.atomic(using=rows.alias()):
            if wait is not None:
                retry = job_try_again(task, wait * conf().retry_time_scale, error)
            else:
                continue_after_failure(task)
                member_died(task)
                job_end(task, "dead", f"{type(error).__name__}: {error}")
        if wait is None:
            raise
        raise retry from error


def _plain(task: ReliableTask[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    result = task.run(*args, **kwargs)
    with transaction.atomic(using=rows.alias()):
        _ended_well(task, result)
    return result


def _database(task: ReliableTask[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    key, print_of_arguments = _key(task, args, kwargs)
    with LEDGER.once(
        key, fingerprint=print_of_arguments, owner=str(task.request.id), ttl=task.ttl, wait=conf().ledger_wait
    ) as answer:
        crashpoints.reach("after_claim", task.name)
        if isinstance(answer, Done):
            return _replayed(task, answer)
        if isinstance(answer, Claim):
            result = _called(task, key, args, kwargs)
            LEDGER.complete(answer, result, ttl=task.ttl)
            _ended_well(task, result)
            crashpoints.reach("before_commit", task.name)
    if isinstance(answer, Busy):
        _give_back(task, answer)
    crashpoints.reach("after_commit", task.name)
    return result


def _external(task: ReliableTask[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    key, print_of_arguments = _key(task, args, kwargs)
    lease = task.lease * conf().lease_time_scale
    answer = LEDGER.claim(key, fingerprint=print_of_arguments, owner=str(task.request.id), lease=lease, ttl=task.ttl)
    crashpoints.reach("after_claim", task.name)
    if isinstance(answer, Busy):
        _give_back(task, answer)
    if isinstance(answer, Done):
        with transaction.atomic(using=rows.alias()):
            return _replayed(task, answer)
    # While the outcome is unknown the claim is kept whatever happens: whoever comes next must be told the same.
    settled = _settle(task, answer) if answer.unknown else None
    if settled is None:
        settled = _brought_about(task, answer, args, kwargs)
    crashpoints.reach("before_commit", task.name)
    with transaction.atomic(using=rows.alias()):
        LEDGER.complete(answer, settled.result, ttl=task.ttl)
        _ended_well(task, settled.result)
    crashpoints.reach("after_commit", task.name)
    return settled.result


def _brought_about(
    task: ReliableTask[..., Any], claim: Claim, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Settled:
    """Run the body. An error gives the key back; being cut off in the middle of a call doesn't."""
    try:
        return Settled(_called(task, claim.key, args, kwargs))
    except (SoftTimeLimitExceeded, OutcomeUnknown):
        raise
    except Exception:
        LEDGER.release(claim)
        raise


def _ended_well(task: ReliableTask[..., Any], result: Any) -> None:
    """Write what follows from a job that is done, in the caller's transaction."""
    member_succeeded(task, result)
    continue_after(task, result)
    job_end(task, "succeeded")


def _called(task: ReliableTask[..., Any], key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    token = current_key.set(key)
    try:
        return task.run(*args, **kwargs)
    finally:
        current_key.reset(token)


def _settle(task: ReliableTask[..., Any], claim: Claim) -> Settled | None:
    """Find out what became of the effect whose holder vanished; None when it is to be brought about (again)."""
    if task.reconcile is not None:
        answer = task.reconcile(claim.key)
        return answer if isinstance(answer, Settled) else None
    if task.on_unknown == "retry":
        return None
    raise OutcomeUnknown(claim.key)


def _replayed(task: ReliableTask[..., Any], done: Done) -> Any:
    """The stored result. What follows the job is written already, unless it was another job that did the work."""
    if done.owner != task.request.id:
        continue_after(task, done.result)
    drop_continuation(task)
    job_end(task, "succeeded")
    return done.result


def _give_back(task: ReliableTask[..., Any], busy: Busy) -> NoReturn:
    """Let the delivery come again when the other may be through. It hasn't failed, and nothing is counted."""
    wait = max(busy.until - timezone.now(), timedelta(0)) + GIVEN_BACK_FOR
    job_give_back(task, wait)
    raise Ignore


def _key(task: ReliableTask[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, str]:
    """The idempotency key of this call, and the fingerprint of its arguments."""
    arguments = task.bound_arguments(args, kwargs)
    key = key_for(task.once, arguments) if task.once else f"task:{task.request.id}"
    return key, fingerprint(str(task.name), arguments)


_EFFECTS: Final[dict[str | None, Effect]] = {None: _plain, "database": _database, "external": _external}
