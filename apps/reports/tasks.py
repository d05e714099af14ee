"""Reports as tasks."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog
from botocore.exceptions import BotoCoreError, ClientError
from django.db import InterfaceError, OperationalError

from config.limits import REPORT_TIME_LIMIT
from tasks import task

from .errors import BuildReplaced
from .services import building, files, requesting

# What the storage or the database raises while it is away.
PASSING: Final = (OSError, BotoCoreError, ClientError, OperationalError, InterfaceError)
LIMIT: Final = timedelta(minutes=2)
logger = structlog.get_logger(__name__)


@task("reports.build_daily_report", time_limit=LIMIT, retry_on=PASSING)
def build_daily_report() -> None:
    """Have yesterday's report built, and those of the last days that nobody was there to build."""
    days = requesting.reports_request_due()
    logger.info("reports_requested", days=[str(day) for day in days])


@task("reports.build_sales_report", time_limit=REPORT_TIME_LIMIT, retry_on=PASSING)
def build_sales_report(report_id: int) -> None:
    """Build one report."""
    try:
        building.report_build(report_id=report_id)
    except BuildReplaced as replaced:  # nothing failed: the other delivery builds it
        logger.info("build_replaced", report_id=replaced.report_id)


@task("reports.delete_old_reports", time_limit=LIMIT, retry_on=PASSING)
def delete_old_reports() -> None:
    """Delete reports of days long gone by."""
    files.reports_delete_old()


@task("reports.delete_orphan_files", time_limit=LIMIT, retry_on=PASSING)
def delete_orphan_files() -> None:
    """Delete what builds that died have left in storage."""
    files.files_delete_orphans()
