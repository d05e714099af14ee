"""The toolkit's own chores, as tasks: where Celery's autodiscovery looks for them. Schedule them; each may be missed.
Two are asked for by a person instead, to redrive and to discard many letters.

The periods are settings, so that a schedule holds nothing but names.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from celery import current_app
from django.utils import timezone

from .conf import conf
from .decorators import task
from .enqueue.unique_locks import locks_prune
from .execution.ledgers.postgres import PostgresLedger
from .execution.redrive import redrive_all
from .failure.backoff import RetryPolicy
from .failure.discard import attempts_prune, closed_prune, letters_bound, letters_discard, open_prune
from .failure.letter_filters import LetterFilter
from .failure.redrive_ends import redrives_settle
from .operation.pruning import in_batches
from .operation.reconciler import finished_prune, unfinished_send_again

LIMIT: Final = timedelta(minutes=5)
WITHIN: Final = timedelta(minutes=4)


@task("tasks.prune_ledger", time_limit=LIMIT, retry=RetryPolicy.never())
def prune_ledger() -> int:
    """Forget the idempotency keys whose time is over; return how many."""
    return in_batches(lambda limit: PostgresLedger().prune(limit=limit), within=WITHIN)


@task("tasks.prune_outbox", time_limit=LIMIT, retry=RetryPolicy.never())
def prune_outbox() -> int:
    """Delete the jobs that ended longer ago than `OUTBOX_KEPT_FOR`; return how many."""
    prune = partial(finished_prune, older_than=conf().outbox_kept_for)
    return in_batches(lambda limit: prune(limit=limit), within=WITHIN)


@task("tasks.prune_unique_locks", time_limit=LIMIT, retry=RetryPolicy.never())
def prune_unique_locks() -> int:
    """Delete the unique jobs' locks that are as good as free; return how many."""
    return in_batches(lambda limit: locks_prune(limit=limit), within=WITHIN)


@task("tasks.prune_letters", time_limit=LIMIT, retry=RetryPolicy.never())
def prune_letters() -> int:
    """Let go of dead letters by age and number, as `LETTERS_*` say, and of attempts without one; return how many."""
    kept = conf()
    prunes: tuple[Callable[[int], int], ...] = (
        lambda limit: closed_prune(older_than=kept.letters_kept_for, limit=limit),
        lambda limit: open_prune(older_than=kept.letters_open_for, limit=limit),
        lambda limit: letters_bound(most=kept.letters_max, limit=limit),
        lambda limit: attempts_prune(older_than=kept.outbox_kept_for, limit=limit),
    )
    return sum(in_batches(prune, within=WITHIN / len(prunes)) for prune in prunes)


@task("tasks.settle_redrives", time_limit=LIMIT, retry=RetryPolicy.never())
def settle_redrives() -> int:
    """Tell letters of redrives that ended where nobody told: cancelled, above all; return how many."""
    return in_batches(lambda limit: redrives_settle(forgotten=conf().outbox_kept_for, limit=limit), within=WITHIN)


@task("tasks.redrive_letters", time_limit=LIMIT)
def redrive_letters(
    which: dict[str, Any],
    by: str,
    rate: float | None = None,
    after: list[Any] | None = None,
    start_at: str | None = None,
) -> int:
    """Redrive all letters of a filter (`LetterFilter.as_json`); return how many were now.

    after: the last death and the id of the one to go on after. start_at: when the first is due.
    What isn't done in WITHIN is another job's, which goes on after the last one. Run twice it does nothing twice: a
    letter is redriven once.
    """
    chosen = LetterFilter.of_json(which).until(timezone.now())
    deadline = time.monotonic() + WITHIN.total_seconds()
    done = redrive_all(
        chosen,
        by=by,
        rate=rate,
        after=(datetime.fromisoformat(after[0]), int(after[1])) if after else None,
        start_at=datetime.fromisoformat(start_at) if start_at else None,
        go_on=lambda: time.monotonic() < deadline,
    )
    if not done.is_complete:
        last = [done.last[0].isoformat(), done.last[1]] if done.last else after
        redrive_letters.enqueue(chosen.as_json(), by, rate, last, done.next_at.isoformat())
    return done.count


@task("tasks.discard_letters", time_limit=LIMIT)
def discard_letters(which: dict[str, Any], by: str, note: str) -> int:
    """Discard all open letters of a filter (`LetterFilter.as_json`); return how many were. Run twice it goes on."""
    return letters_discard(LetterFilter.of_json(which), by=by, note=note)


@task("tasks.send_unfinished_again", time_limit=LIMIT, retry=RetryPolicy.never())
def send_unfinished_again() -> int:
    """Send again what the broker has forgotten: sent longer ago than `OUTBOX_UNFINISHED_AFTER`; return how many."""
    return unfinished_send_again(current_app, older_than=conf().outbox_unfinished_after)
