"""What comes of an attempt that failed: another one, and when, or the job's end.

The error decides first: `Permanent`, and what nobody foresaw, is the end. Then the task's `RetryPolicy`: how often,
how long for all attempts together, and how long the upstream asked to wait. Then the task's budget: while its circuit
is open, the attempt isn't counted, and the job waits until the circuit lets it through.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import OperationalError
from django.utils import timezone

from ..conf import conf
from ..enqueue import rows
from ..errors import OutcomeUnknown, Permanent, Transient
from ..failure.breaker import Held, Permit
from ..failure.retry_after import asked_to_wait

if TYPE_CHECKING:
    from ..base import ReliableTask

# The header that tells when the first attempt began, of a job whose policy has a deadline.
FIRST_BEGAN_AT: Final = "tasks_first_began_at"


@dataclass(frozen=True, slots=True)
class Again:
    """Another attempt is to be made after *wait*. is_counted: this one was a retry; else it was none at all."""

    wait: timedelta
    is_counted: bool = True


def verdict(
    task: ReliableTask[..., Any], error: Exception, *, permit: Permit | None, began_at: datetime
) -> Again | None:
    """Decide, and tell the task's circuit. None: the job is dead. began_at: when this attempt began."""
    held = _circuit_says(permit, error)
    if not may_pass(task, error):
        return None
    now = timezone.now()
    policy = task.retry_policy
    first_began_at = _first_began_at(task, began_at)
    elapsed = max(timedelta(0), now - first_began_at)
    if held is not None and (policy.deadline is None or elapsed + held.wait <= policy.deadline):
        return Again(held.wait, is_counted=False)
    wait = policy.wait(task.request.retries, asked=asked_to_wait(error, now=now), elapsed=elapsed)
    return None if wait is None else Again(wait * conf().retry_time_scale)


def may_pass(task: ReliableTask[..., Any], error: Exception) -> bool:
    """Whether another attempt may end otherwise."""
    if isinstance(error, OutcomeUnknown):  # it may be settled then
        return task.reconcile is not None or task.on_unknown == "retry"
    if isinstance(error, Permanent):
        return False
    if task.effect == "database" and (isinstance(error, OperationalError) or rows.in_the_way(error)):
        return True  # a deadlock, a conflict with another transaction: all of it was rolled back
    return isinstance(error, (Transient, *task.retry_on))


def _circuit_says(permit: Permit | None, error: Exception) -> Held | None:
    if permit is None or isinstance(error, OutcomeUnknown):  # that is about an attempt before this one
        return None
    if isinstance(error, Permanent):
        permit.succeeded()
        return None
    return permit.failed()


def _first_began_at(task: ReliableTask[..., Any], began_at: datetime) -> datetime:
    """When the first attempt began; noted for those to come, if the policy asks for it."""
    if task.retry_policy.deadline is None:
        return began_at
    request: Any = task.request
    noted = getattr(request, FIRST_BEGAN_AT, None)
    if noted:
        return datetime.fromisoformat(noted)
    request.headers = {**(request.headers or {}), FIRST_BEGAN_AT: began_at.isoformat()}
    return began_at
