"""The worker's side of one message, in its main process: the deaths that no child lives to tell.

Celery's own, but that a death is written down before the message is acknowledged, and that a job that kills its child
is counted. What the child has written itself is noticed here once more, which changes nothing; it is there for what
fails on the way to the body, and for the child that could not write.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from billiard.einfo import ExceptionInfo, ExceptionWithTraceback  # type: ignore[attr-defined]
from celery import signals
from celery.exceptions import (
    Ignore,
    Reject,
    Retry,
    TaskRevokedError,
    Terminated,
    TimeLimitExceeded,
    WorkerLostError,
)
from celery.utils.log import get_logger
from celery.worker import state
from celery.worker.request import Request
from kombu.utils.encoding import safe_repr

from ..failure.blackening import blackened
from ..failure.letter_models import JobAttempt
from ..failure.letters import attempt_write
from ..failure.remains import GENERATION, Cause, of_request
from .cancellation import job_cancel
from .deaths import Reason, job_die, reason_for
from .losses import child_lost, given_back
from .registrar import registrar

log = get_logger(__name__)

_LEFT_THE_CHILD = (WorkerLostError, SystemExit, KeyboardInterrupt)


class DeadLetterRequest(Request):
    """Of a task that keeps its dead letters."""

    # Celery's own, which its stubs leave out.
    task: Any
    _already_cancelled: bool
    _context: Any
    time_start: Any
    _hostname: str
    _request_dict: dict[str, Any]
    _worker_lost_info: Callable[[BaseException], ExceptionInfo]

    _is_dying = False
    _left: Any = None

    def revoked(self) -> bool:
        """Celery's. A redrive was asked for after whatever revoked the job."""
        if self._request_dict.get(GENERATION):
            state.revoked.discard(self.id)
        return bool(super().revoked())

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """A time limit is over; after the hard one the pool kills the child."""
        if soft or _is_going_down():
            super().on_timeout(soft, timeout)
            return
        state.task_ready(self)
        log.error("Hard time limit (%ss) exceeded for %s[%s]", timeout, self.name, self.id)
        error = TimeLimitExceeded(timeout)
        self._die(Reason.HARD_TIME_LIMIT, error)
        self._announce_failure(error, _told(error))

    def on_failure(self, exc_info: ExceptionInfo, send_failed_event: bool = True, return_ok: bool = False) -> None:
        """The job failed, or its child is gone. return_ok: the child has lived to tell."""
        error = _unwrapped(exc_info)
        if self._is_dying:
            state.task_ready(self)
        elif isinstance(error, Reject):
            state.task_ready(self)
            self._on_reject_raised(error, exc_info)
        elif isinstance(error, _LEFT_THE_CHILD) and not (self._already_cancelled or self._already_revoked):
            state.task_ready(self)
            self._on_child_lost(error)
        elif isinstance(error, TimeLimitExceeded):
            state.task_ready(self)
            self._die(Reason.HARD_TIME_LIMIT, error)
        elif isinstance(error, Ignore | Retry | Terminated):
            super().on_failure(exc_info, send_failed_event, return_ok)
        else:
            state.task_ready(self)
            self._on_failed(error, exc_info)

    def reject(self, requeue: bool = False) -> None:
        """Celery's, for what it refuses before it is begun, or gives back."""
        if requeue or self._is_dying or self.acknowledged:
            super().reject(requeue)
            return
        error = sys.exception()
        self._die(Reason.UNDECODABLE, error if isinstance(error, Exception) else Reject("refused by the worker"))

    def _on_reject_raised(self, error: Any, exc_info: ExceptionInfo) -> None:
        if error.requeue:
            self._record(partial(given_back, [str(self.id)]), lambda _: super(DeadLetterRequest, self).reject(True))
            return
        self._die(Reason.REJECTED, error)
        self._announce_failure(error, exc_info)

    def _on_child_lost(self, error: BaseException) -> None:
        lost: Any = error if isinstance(error, WorkerLostError) else _unwrapped(self._worker_lost_info(error))
        if _is_going_down():  # a deploy's victim
            self._record(partial(given_back, [str(self.id)]), lambda _: super(DeadLetterRequest, self).reject(True))
            return
        log.error("%s[%s] took its process with it: %s", self.name, self.id, lost)
        if not (self.task.acks_late and self.task.reject_on_worker_lost):  # declared to be run once at most
            self._die(Reason.CHILD_LOST, lost)
            self._announce_failure(lost, _told(lost))
            return
        cause = Cause.of(Reason.CHILD_LOST, lost)
        self._is_dying = True
        self._record(
            partial(child_lost, self.task, cause, begun_at=self._begun_at(), worker=self._hostname),
            partial(self._after_child_lost, lost),
        )

    def _after_child_lost(self, error: Exception, is_end: bool) -> None:
        if is_end:
            self._announce_failure(error, _told(error))
        self._ended(error, is_end)

    def _on_failed(self, error: Exception, exc_info: ExceptionInfo) -> None:
        """The child has written the death, unless it failed on the way to the body. It has called back in any case."""
        self._send_failed(error, exc_info)

        def write() -> bool:
            cause = Cause(
                reason=reason_for(self.task, error, may_pass=False),
                error_type=type(error).__qualname__,
                error_message=str(error),
                traceback=str(exc_info.traceback),
            )
            return job_die(self.task, cause, calls_back=False)

        finish = self.acknowledge if self.task.acks_on_failure else partial(super().reject, False)
        self._record(write, lambda _: finish())

    def _die(self, reason: Reason, error: Exception) -> None:
        """Write the death, once, then acknowledge."""
        if self._is_dying:
            return
        self._is_dying = True
        cause = Cause.of(reason, error)
        self._record(partial(self._dead, cause), partial(self._ended, error))

    def _dead(self, cause: Cause) -> bool:
        if not job_die(self.task, cause):
            return False
        begun_at, remains = self._begun_at(), of_request(self.task.request)
        attempt_write(remains, cause, JobAttempt.Outcome.FAILED, begun_at=begun_at, worker=self._hostname)
        return True

    def _announce_revoked(self, reason: str, terminated: bool, signum: Any, expired: bool) -> None:
        """Celery's, but that the job's end is written before the message is acknowledged."""
        state.task_ready(self)
        self._already_revoked = True
        self.send_event("task-revoked", terminated=terminated, signum=signum, expired=expired)
        signals.task_revoked.send(
            self.task, request=self._context, terminated=terminated, signum=signum, expired=expired
        )
        error = TaskRevokedError(reason)
        if expired:
            state.revoked.discard(self.id)  # what has this id later on, a redrive, say, is another message
            cause = Cause(reason=Reason.EXPIRED, error_type="Expired", error_message=self._expiry())
        elif self.task.keep_revoked:
            cause = Cause(reason=Reason.REVOKED, error_type="Revoked", error_message=reason)
        else:
            self._record(
                partial(job_cancel, str(self.id), reason, running=terminated), partial(self._cancelled, reason)
            )
            return
        self._record(partial(job_die, self.task, cause), partial(self._ended, error))

    def _cancelled(self, reason: str, _: bool) -> None:
        """Nobody wants it, and nobody keeps it: tell the result backend, and acknowledge."""
        try:
            self.task.backend.mark_as_revoked(self.id, reason, request=self._left, store_result=self.store_errors)
        finally:
            self.acknowledge()

    def _expiry(self) -> str:
        expires: datetime | None = self.expires
        return f"it was to be begun by {expires:%Y-%m-%d %H:%M:%S %Z}" if expires is not None else "it has expired"

    def _record(self, write: Callable[[], Any], then: Callable[[Any], object]) -> None:
        """Have the registrar write, with this message as the task's current request, then do *then*."""

        def with_request() -> Any:
            self._left = self._context  # what is written is taken out of it; the backend calls back what is left
            self.task.request_stack.push(self._left)
            try:
                return write()
            finally:
                self.task.request_stack.pop()

        registrar.put(f"{self.name}[{self.id}]", with_request, then)

    def _announce_failure(self, error: Exception, exc_info: ExceptionInfo) -> None:
        """Tell those who listen to Celery, as it would. What they raise is theirs, and ends no worker."""
        try:
            self.task.on_failure(error, self.id, self.args, self.kwargs, exc_info)
        except Exception:
            log.exception("on_failure of %s[%s] failed", self.name, self.id)
        signals.task_failure.send(
            sender=self.task,
            task_id=self.id,
            exception=error,
            args=self.args,
            kwargs=self.kwargs,
            traceback=exc_info.traceback,
            einfo=exc_info,
        )
        self._send_failed(error, exc_info)

    def _send_failed(self, error: Exception, exc_info: ExceptionInfo) -> None:
        """Send `task-failed` without the job's secrets: nobody has blacked out what failed on the way to the body."""
        shown = blackened(of_request(self._context))
        self.send_event(
            "task-failed", exception=shown.text(safe_repr(error)), traceback=shown.text(str(exc_info.traceback))
        )

    def _ended(self, error: Exception, is_end: bool) -> None:
        """The job's end is written: tell the result backend, which calls back what isn't ours, and acknowledge."""
        try:
            if is_end:
                self.task.backend.mark_as_failure(self.id, error, request=self._left, store_result=self.store_errors)
        except Exception:
            log.exception("the result backend was not told of the end of %s[%s]", self.name, self.id)
        finally:
            self.acknowledge()

    def _begun_at(self) -> datetime | None:
        return datetime.fromtimestamp(self.time_start, UTC) if self.time_start else None


def _is_going_down() -> bool:
    """Whether this worker was told to stop: what is killed then is no job's fault."""
    told: tuple[Any, ...] = (state.should_stop, state.should_terminate)
    return any(code is not None and code is not False for code in told)


def _unwrapped(exc_info: ExceptionInfo) -> Any:
    error = exc_info.exception
    return error.exc if isinstance(error, ExceptionWithTraceback) else error


def _told(error: Exception) -> ExceptionInfo:
    """*error* with a traceback, as those who listen expect it."""
    try:
        raise error  # noqa: TRY301
    except Exception:  # noqa: BLE001
        return ExceptionInfo()
