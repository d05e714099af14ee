"""The sync with the supplier as tasks."""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.db import OperationalError

from tasks import RetryPolicy, task

from .services import runs

logger = structlog.get_logger(__name__)


@task(
    "integrations.sync_supplier",
    time_limit=timedelta(minutes=4),  # the schedule comes round again after five
    retry=RetryPolicy(max_retries=3, first=timedelta(seconds=5), cap=timedelta(minutes=1)),
)
def sync_supplier() -> None:
    """Pull the supplier's catalogue."""
    from .services import syncing  # every process would begin later by what checks a feed, and few of them read one

    run = syncing.supplier_sync()
    logger.info("supplier_sync", run_id=run.pk, state=run.state, note=run.note, offers_changed=run.offers_changed)


@task("integrations.delete_old_runs", time_limit=timedelta(minutes=1), retry_on=(OperationalError,))
def delete_old_runs() -> None:
    """Delete the record of runs long gone by."""
    runs.runs_delete_old()
