"""Redrive: a dead job is sent on its way again, as what it was: the same task id, key, chain, chord and batch.

    letter open ──redrive──▶ letter redriven, its redrive pending, the job's row in the outbox alive again

All of that is one transaction, so a crash leaves all or nothing, and of two people who redrive at once one does: the
second waits for the letter's row, and finds it redriven. With it go: the batch or chord forgets that its member died;
a unique job takes its lock again; the task's `on_redrive` undoes what its death has undone.

The message carries a new generation, by which the letter knows whose death or success it hears of, and a new edition,
by which every copy of an earlier message is void: a late one finds that it must not run (`jobs.job_begin`). What was
taken for dead, runs on, and succeeds after all, ends the job, and the redrive's delivery finds that.

Rows are locked in everybody's order: the job's first, then its letter, what its hook locks, and at last the batches of
all that go together (`batch_order`).

Many are redriven in chunks, each a transaction. Their rate is kept by the outbox, not by whoever asks: the n-th is due
n / rate seconds from now. So nobody has to stay until the last is sent, and a crash leaves the rest open.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from ..enqueue import rows
from ..enqueue.models import OutboxMessage
from ..enqueue.unique_jobs import unique_take_again
from ..errors import RedriveRefused
from ..failure.letter_filters import LetterFilter
from ..failure.letter_models import DeadLetter, Redrive
from .batches import members_taken_back
from .deaths import arguments_of
from .redrive_plan import REDRIVABLE, Plan, plan_of

log = logging.getLogger(__name__)

CHUNK: Final = 500
RATE_LEAST: Final = 0.001
"""Jobs a second: more slowly, the last of many would be due after the end of the calendar."""

Place = tuple[datetime, int]
"""Of a letter among all: its last death, and its id."""


@dataclass(slots=True)
class Redriven:
    """What became of a request to redrive many.

    looked_at: letters. count: those that are on their way. refusals: those that could not be. refused: why, by task id,
        of the first MOST_TOLD.
    next_at: when the one after the last is due. last: the last death and the id of the last that was looked at.
    is_complete: whether all were, and nobody said to stop.
    """

    MOST_TOLD = 1_000

    next_at: datetime = field(default_factory=timezone.now)
    looked_at: int = 0
    count: int = 0
    refusals: int = 0
    last: Place | None = None
    is_complete: bool = False
    refused: dict[str, str] = field(default_factory=dict)

    def refuse(self, refusal: RedriveRefused) -> None:
        """Note one that can't be redriven."""
        self.refusals += 1
        if len(self.refused) < self.MOST_TOLD:
            self.refused[refusal.task_id] = refusal.reason


def redrive(letter: DeadLetter, *, by: str, arguments: Mapping[str, Any] | None = None, dry_run: bool = False) -> None:
    """Redrive one letter; *arguments*, by parameter name, take the place of its own of those names.

    arguments: with any, if only {}, what the task doesn't take of the letter's own is dropped; None: as they are.
    dry_run: find out whether it could be, and change nothing. Raises RedriveRefused, with the reason.
    """
    with transaction.atomic(using=rows.alias()):
        locked = _locked([letter.pk], waits=True)
        if not locked:
            raise RedriveRefused(letter.task_id, "there is no such letter any more")
        plan = plan_of(*locked[0], arguments=arguments)
        _put_right(plan)
        _send([plan], [timezone.now()], by=by)
        transaction.set_rollback(dry_run, using=rows.alias())


def redrive_all(
    which: LetterFilter,
    *,
    by: str,
    rate: float | None = None,
    start_at: datetime | None = None,
    after: Place | None = None,
    limit: int | None = None,
    dry_run: bool = False,
    progress: Callable[[int], object] = lambda done: None,
    go_on: Callable[[], bool] = lambda: True,
) -> Redriven:
    """Redrive the letters that *which* names, the oldest death first; those that can't be are told, and stay.

    Of those that it names by their ids, each that isn't redriven is told; else the closed ones are none of those meant.
    What dies while this goes on is left for another time.

    rate: jobs a second; None: as fast as they can be sent. start_at: when the first is due. after: only those
        that come after that one. limit: the most.
    dry_run: find out which could be, and change nothing. progress: told how many were looked at, after each chunk.
    go_on: asked before each chunk.
    """
    if rate is not None and not rate >= RATE_LEAST:
        raise ValueError(f"rate must be at least {RATE_LEAST} a second, not {rate}")
    done = Redriven(next_at=start_at or timezone.now(), last=after)
    for places in _chunks(which.until(timezone.now()), after, limit):
        ids = [pk for _, pk in places]
        if not go_on():
            break
        with transaction.atomic(using=rows.alias()):
            step = timedelta(seconds=1 / rate) if rate else timedelta(0)
            _redrive_chunk(ids, done, by=by, step=step, tells_all=bool(which.ids))
            transaction.set_rollback(dry_run, using=rows.alias())
        done.looked_at += len(ids)
        done.last = places[-1]
        progress(done.looked_at)
    else:
        done.is_complete = True
    if not dry_run:
        log.warning("%s redrove %d letters; %d could not be", by, done.count, done.refusals)
    return done


def _redrive_chunk(ids: list[int], done: Redriven, *, by: str, step: timedelta, tells_all: bool) -> None:
    plans: list[Plan] = []
    locked = _locked(ids, waits=False)
    if tells_all:
        _refuse_unlocked(set(ids) - {letter.pk for letter, *_ in locked}, done)
    for found in locked:
        try:
            plan = plan_of(*found)
            if plan.acts_first:
                with transaction.atomic(using=rows.alias()):
                    _put_right(plan)
        except RedriveRefused as refusal:
            done.refuse(refusal)
        else:
            plans.append(plan)
    # Whoever is slower to write than the rate must not make up for it all at once.
    done.next_at = max(done.next_at, timezone.now())
    due = [done.next_at + step * place for place in range(len(plans))]
    _send(plans, due, by=by)
    done.count += len(plans)
    done.next_at += step * len(plans)


def _refuse_unlocked(ids: set[int], done: Redriven) -> None:
    for letter in DeadLetter.objects.using(rows.alias()).filter(pk__in=ids).order_by("pk"):
        is_closed = letter.state not in REDRIVABLE
        done.refuse(
            RedriveRefused(letter.task_id, f"it is {letter.state}" if is_closed else "somebody else has it in hand now")
        )


def _chunks(which: LetterFilter, after: Place | None, limit: int | None) -> Iterator[list[Place]]:
    """Where the letters are, in their order, so that what is refused doesn't come again.

    By last death: so every filter that has an index has it in this order.
    """
    left = limit
    while left is None or left > 0:
        found = which.letters().order_by("last_seen_at", "pk")
        if not which.ids:
            found = found.filter(state__in=REDRIVABLE)
        if after is not None:
            at, pk = after
            found = found.filter(last_seen_at__gte=at).exclude(last_seen_at=at, pk__lte=pk)
        places = list(found.values_list("last_seen_at", "pk")[: CHUNK if left is None else min(CHUNK, left)])
        if not places:
            return
        yield places
        after = places[-1]
        left = None if left is None else left - len(places)


def _locked(ids: Sequence[int], *, waits: bool) -> list[tuple[DeadLetter, int, bool]]:
    """The letters, locked, each with the generation of its next redrive, and whether its job is alive.

    waits: for somebody else who has one locked; else that one is left to them, and what they have redriven left out.
    """
    using = rows.alias()
    letters = DeadLetter.objects.using(using).filter(pk__in=ids)
    if not waits:
        letters = letters.filter(state__in=REDRIVABLE)
    jobs = OutboxMessage.objects.using(using).filter(task_id__in=letters.values("task_id"))
    alive = {job.task_id for job in jobs.order_by("pk").select_for_update() if job.finished_at is None}
    locked = list(letters.order_by("pk").select_for_update(skip_locked=not waits))
    sent = Redrive.objects.using(using).filter(letter__in=ids).order_by().values_list("letter")
    last = dict(sent.annotate(Max("generation")))
    return [
        (letter, max(letter.generation, last.get(letter.pk) or 0) + 1, letter.task_id in alive) for letter in locked
    ]


def _put_right(plan: Plan) -> None:
    """Take back what the job's death has done to its lock and its domain, in the caller's transaction.

    Raises RedriveRefused.
    """
    task_id = plan.remains.task_id
    args, kwargs = plan.remains.arguments
    if plan.task.unique and (owner := unique_take_again(plan.task, task_id, args, kwargs)):
        raise RedriveRefused(task_id, f"it is unique, and {owner} stands for its kind now")
    if plan.task.on_redrive is not None:
        try:
            plan.task.on_redrive(plan.letter, arguments_of(plan.request) or {})
        except Exception as error:
            log.warning("on_redrive of %s refused %s", plan.letter.name, task_id, exc_info=error)
            raise RedriveRefused(task_id, f"{type(error).__name__}: {error}") from error


def _send(plans: Sequence[Plan], due: Sequence[datetime], *, by: str) -> None:
    """Bring the jobs back to life, and note it with their letters, in the caller's transaction."""
    if not plans:
        return
    members_taken_back([member for plan in plans for member in plan.members])
    now, messages = timezone.now(), []
    for plan, due_at in zip(plans, due, strict=True):
        message = plan.row
        message.due_at = due_at
        message.state = OutboxMessage.State.SCHEDULED if due_at > now else OutboxMessage.State.QUEUED
        messages.append(message)
    rows.revive(messages)
    Redrive.objects.using(rows.alias()).bulk_create(
        Redrive(letter=plan.letter, generation=plan.generation, asked_by=by[:150], edited_body=plan.edited_body)
        for plan in plans
    )
    DeadLetter.objects.using(rows.alias()).filter(pk__in=[plan.letter.pk for plan in plans]).update(
        state=DeadLetter.State.REDRIVEN, closed_at=None, closed_by="", note=""
    )
