"""How each kind of effect is carried out, from the claim on its key to the commit of what follows.

Whatever raises here leaves the key as the next delivery must find it: free after a clean failure, abandoned when
nobody can say what has happened, done or untouched otherwise.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar
from datetime import timedelta
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from celery.exceptions import Ignore
from django.db import DatabaseError, Error

from .. import crashpoints
from ..conf import conf
from ..enqueue import rows
from ..errors import ClaimLost, InvalidSettlement, OutcomeUnknown
from ..failure.letters import letter_resolve
from ..failure.remains import GENERATION
from ..keys import fingerprint, key_for, without_defaults
from ..signals import job_finished
from .continuation import continue_after, drop_continuation
from .ends import HEADER
from .giving_up import run
from .jobs import job_end, job_give_back
from .ledger import Answer, Busy, Claim, Done
from .ledgers.postgres import PostgresLedger
from .membership import member_succeeded
from .settlement import CUT_OFF, Settled
from .writing import NotWritten, written

if TYPE_CHECKING:
    from ..base import ReliableTask

LEDGER: Final = PostgresLedger()
GIVEN_BACK_FOR: Final = timedelta(seconds=1)

current_key: ContextVar[str] = ContextVar("tasks_current_key", default="")


class Effect(Protocol):
    """How a task's kind of effect is carried out."""

    def __call__(self, task: ReliableTask[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], /) -> Any: ...


def plain(task: ReliableTask[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """No ledger: a body that may run as often as it is delivered."""
    result = run(task, args, kwargs)
    if _stands_alone(task):
        crashpoints.reach("before_commit", task.name)
        written(task, partial(job_end, task, "succeeded"), at_once=True)
        crashpoints.reach("after_commit", task.name)
        return result

    def end() -> None:
        _ended_well(task, result)
        crashpoints.reach("before_commit", task.name)

    written(task, end)
    crashpoints.reach("after_commit", task.name)
    return result


def database(task: ReliableTask[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """An effect in this database: it, its record and what follows commit together."""
    key, print_of_arguments = _key(task, args, kwargs)
    with LEDGER.once(
        key, fingerprint=print_of_arguments, owner=str(task.request.id), ttl=task.ttl, wait=conf().ledger_wait
    ) as answer:
        crashpoints.reach("after_claim", task.name)
        if isinstance(answer, Done):
            return _replayed(task, answer)
        if isinstance(answer, Claim):
            if answer.unknown:  # from a time when the task was declared otherwise
                raise OutcomeUnknown(key)
            result = _called(task, key, args, kwargs)
            LEDGER.complete(answer, result, ttl=task.ttl)
            if not _ended_well(task, result):
                raise Ignore  # the job was given up meanwhile: what it did is rolled back
            crashpoints.reach("before_commit", task.name)
    if isinstance(answer, Busy):
        _give_back(task, answer.wait)
    crashpoints.reach("after_commit", task.name)
    return result


def external(task: ReliableTask[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """An effect outside: on record before it, and after it with what follows."""
    key, print_of_arguments = _key(task, args, kwargs)
    answer = _claimed(task, key, print_of_arguments)
    crashpoints.reach("after_claim", task.name)
    if isinstance(answer, Busy):
        _give_back(task, answer.wait)
    if isinstance(answer, Done):
        return written(task, partial(_replayed, task, answer))
    try:
        settled = _settled(task, answer) if answer.unknown else None
        if settled is None:
            settled = _brought_about(task, answer, args, kwargs)
        crashpoints.reach("before_commit", task.name)
        _commit(task, answer, settled.result)
    except Exception:
        with suppress(Error):  # the database may be what went wrong; then the lease ends by itself
            LEDGER.abandon(answer)
        raise
    crashpoints.reach("after_commit", task.name)
    return settled.result


def _claimed(task: ReliableTask[..., Any], key: str, print_of_arguments: str) -> Answer:
    lease = task.lease * conf().lease_time_scale
    try:
        return LEDGER.claim(key, fingerprint=print_of_arguments, owner=str(task.request.id), lease=lease, ttl=task.ttl)
    except DatabaseError as error:
        if rows.in_the_way(error):  # nothing was tried, and nothing has failed
            raise NotWritten from error
        raise


def _commit(task: ReliableTask[..., Any], claim: Claim, result: Any) -> None:
    def end() -> None:
        LEDGER.complete(claim, result, ttl=task.ttl)
        _ended_well(task, result)

    try:
        written(task, end)
    except ClaimLost:
        # Whoever has the key now brings the effect to its end, perhaps for another job: come again for its result.
        _give_back(task, timedelta(0))


def _brought_about(
    task: ReliableTask[..., Any], claim: Claim, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Settled:
    """Run the body. An error gives the key back; being cut off in the middle of a call doesn't."""
    try:
        return Settled(_called(task, claim.key, args, kwargs))
    except CUT_OFF:
        raise
    except Exception:
        LEDGER.release(claim)
        raise


def _settled(task: ReliableTask[..., Any], claim: Claim) -> Settled | None:
    """Find out what became of the effect whose holder vanished; None when it is to be brought about (again)."""
    if task.reconcile is not None:
        answer = task.reconcile(claim.key)
        if answer is not None and not isinstance(answer, Settled):
            raise InvalidSettlement(str(task.name), repr(answer))
        return answer
    if task.on_unknown == "retry":
        return None
    raise OutcomeUnknown(claim.key)


def _called(task: ReliableTask[..., Any], key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    token = current_key.set(key)
    try:
        return run(task, args, kwargs)
    finally:
        current_key.reset(token)


def _ended_well(task: ReliableTask[..., Any], result: Any) -> bool:
    """End the job and write what follows from it, in the caller's transaction. False when it has ended before."""
    if not job_end(task, "succeeded"):
        drop_continuation(task)
        return False
    if generation := getattr(task.request, GENERATION, None):
        letter_resolve(str(task.request.id), generation)
    member_succeeded(task, result)
    continue_after(task, result)
    return True


def _stands_alone(task: ReliableTask[..., Any]) -> bool:
    """Whether nothing is to be written with the end of the job but that: nothing follows it, and nobody is told."""
    request: Any = task.request
    follows = request.chain or request.callbacks or request.chord or getattr(request, HEADER, None)
    return not (follows or getattr(request, GENERATION, None) or job_finished.has_listeners(type(task)))


def _replayed(task: ReliableTask[..., Any], done: Done) -> Any:
    """The stored result. What follows the job is written already, unless it was another job that did the work.

    Or this one, taken for dead while it did: nothing was to follow it then, and now it is redriven.
    """
    if done.owner == task.request.id and not getattr(task.request, GENERATION, None):
        drop_continuation(task)
        job_end(task, "succeeded")
    else:
        _ended_well(task, done.result)
    return done.result


def _give_back(task: ReliableTask[..., Any], wait: timedelta) -> NoReturn:
    """Let the delivery come again when the other may be through. It hasn't failed, and nothing is counted."""
    written(task, partial(job_give_back, task, wait + GIVEN_BACK_FOR * conf().retry_time_scale))
    raise Ignore


def _key(task: ReliableTask[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, str]:
    """The idempotency key of this call, and the fingerprint of its arguments."""
    arguments = task.bound_arguments(args, kwargs)
    key = key_for(task.once, arguments) if task.once else f"task:{task.request.id}"
    return key, fingerprint(str(task.name), without_defaults(arguments, signature(task.run)))


EFFECTS: Final[dict[str | None, Effect]] = {None: plain, "database": database, "external": external}
