"""Uniqueness: of the jobs that mean the same, one is enqueued. Declared on the task, kept by the database.

    @task("search.index_product", time_limit=..., unique=Unique(by=("product_id",), until="started"))

What is unique is the task's name with the values of the parameters that *by* names. Its lock is a row, written in the
caller's transaction together with the job: a rollback takes both back, and of a hundred callers at once one writes
the job, while the others wait for that one's commit or rollback, and then go by *on_conflict*.

    absent ──enqueue──▶ held(owner: the task id) ──until, or the job's end──▶ absent
                          │         ▲
                          └─ free ──┘  the owner has ended, or its row is gone: whoever enqueues next takes the lock

It is freed in the transaction in which the job begins or ends, whatever the end: succeeded, dead, cancelled, revoked,
or set aside by the relay. Should a holder vanish in any other way, its lock is as good as free; nothing waits for a
clock. A person may release a lock in the admin.

Who may rely on what:

- A job that waits is never begun before the transactions that were told of it (by "skip", with until="started", or
  because they changed it) have ended: so it sees what they wrote.
- Until "finished" a call may be dropped while the job runs, and the job may have read already what the caller has
  written just now. Where each change must be seen by a job that begins after it, say until="started".
- Uniqueness acts at enqueue. It bounds how many wait, not how many run: a job released by until="started" may run
  beside the next one. And it is no idempotency: a delivery that comes twice is the ledger's affair.

A unique task goes through the outbox however it is called: `delay`, `apply_async` and beat write a row, too, in the
caller's transaction. Only a program that publishes by name without the task (`send_task`, another language) goes
past it. As another job may stand for it, nothing can be made to follow it: a unique task is enqueued by itself, and is
refused in a chain, group, chord or batch, as a callback, with callbacks of its own, and by `enqueue_many`. Enqueue it
in the body of the task that it is to follow.

Several unique jobs in one transaction: in an order that is everybody's (by id, say), or two callers may wait for each
other, and the database ends one of them. In a long transaction enqueue last: others wait for its end.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Final, Literal

from ..errors import InvalidDeclaration

UNTIL: Final = ("started", "finished")
ON_CONFLICT: Final = ("skip", "raise", "replace", "debounce")
_WAITS: Final = ("wait", "max_wait")
_VARIABLE: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unique:
    """What makes two jobs of a task the same, for how long, and what a call does that finds one there.

    by: the parameters whose values tell one job from another; () when there is to be one job of this task at all.
    until: "started": one waits at most. "finished": one waits, runs, or is to be tried again. A timedelta: one is
        enqueued in so long a time, however soon it succeeds and however late; one that ends otherwise frees it sooner.
    on_conflict: what a call does that finds one there. Each but "raise" returns the task id of the one that is there.
        "skip": nothing.
        "raise": raises AlreadyEnqueued.
        "replace": gives the waiting job its own arguments and options; the job stays due when it was.
        "debounce": the same, and moves the job's due time to its own: that of `countdown` or `eta`, or *wait* from now.
        The last two raise AlreadyBegun when the job has begun and so can't take new arguments; not with
        until="started", where the next job is written then.
    wait: for "debounce": how long a call without `countdown` and `eta` puts the job off.
    max_wait: for "debounce": later calls don't put the job off past this time after the first one. Without it, calls
        that keep coming put it off for as long as they come.
    """

    by: tuple[str, ...]
    until: Literal["started", "finished"] | timedelta = "finished"
    on_conflict: Literal["skip", "raise", "replace", "debounce"] = "skip"
    wait: timedelta | None = None
    max_wait: timedelta | None = None


def check_unique(task: str, unique: object, signature: inspect.Signature) -> None:
    """Raise InvalidDeclaration when *unique* could not work for a task with that *signature*."""
    if not isinstance(unique, Unique):
        raise InvalidDeclaration(task, f"unique must be a Unique(by=(...)), not {unique!r}")
    _check_by(task, unique.by, signature)
    if not isinstance(unique.until, timedelta):
        _check_word(task, "until", unique.until, UNTIL, " or a timedelta")
    elif unique.until <= timedelta(0):
        raise InvalidDeclaration(task, f"until must be above zero, not {unique.until!r}")
    _check_word(task, "on_conflict", unique.on_conflict, ON_CONFLICT)
    _check_waits(task, unique)


def _check_by(task: str, by: Any, signature: inspect.Signature) -> None:
    if not isinstance(by, tuple) or not all(isinstance(name, str) for name in by):
        raise InvalidDeclaration(task, f"by must be a tuple of parameter names, as in by=('user_id',), not {by!r}")
    known = [parameter.name for parameter in signature.parameters.values() if parameter.kind not in _VARIABLE]
    for name in by:
        if name not in known:
            hint = _did_you_mean(name, known) or f"; the parameters are {', '.join(known) or 'none'}"
            raise InvalidDeclaration(task, f"unique by {name!r}, which is no parameter of the task's{hint}")


def _check_word(task: str, option: str, given: object, known: tuple[str, ...], besides: str = "") -> None:
    if given not in known:
        words = ", ".join(repr(word) for word in known)
        raise InvalidDeclaration(
            task, f"{option} must be one of {words}{besides}, not {given!r}{_did_you_mean(given, known)}"
        )


def _check_waits(task: str, unique: Unique) -> None:
    for name in _WAITS:
        given: object = getattr(unique, name)
        if given is None:
            continue
        if unique.on_conflict != "debounce":
            raise InvalidDeclaration(task, f"{name} is for on_conflict='debounce'")
        if not isinstance(given, timedelta) or given <= timedelta(0):
            raise InvalidDeclaration(task, f"{name} must be a timedelta above zero, not {given!r}")
    if unique.wait and unique.max_wait and unique.max_wait < unique.wait:
        raise InvalidDeclaration(task, f"max_wait must not be below wait ({unique.wait})")


def _did_you_mean(given: object, known: tuple[str, ...] | list[str]) -> str:
    close = get_close_matches(str(given), known, n=1)
    return f", did you mean {close[0]!r}?" if close else ""
