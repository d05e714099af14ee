"""The toolkit's own chores, as tasks: where Celery's autodiscovery looks for them. Schedule them; each may be missed.

The periods are settings, so that a schedule holds nothing but names.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final

from celery import current_app

from .conf import conf
from .decorators import task
from .enqueue.unique_locks import locks_prune
from .execution.ledgers.postgres import PostgresLedger
from .failure.backoff import RetryPolicy
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


@task("tasks.send_unfinished_again", time_limit=LIMIT, retry=RetryPolicy.never())
def send_unfinished_again() -> int:
    """Send again what the broker has forgotten: sent longer ago than `OUTBOX_UNFINISHED_AFTER`; return how many."""
    return unfinished_send_again(current_app, older_than=conf().outbox_unfinished_after)
