"""Asking for a report."""

from __future__ import annotations

from datetime import date

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from tasks.enqueue.outbox import publish

from ..errors import DayOutOfRange
from ..models import SalesReport
from ..selectors import FIRST_DAY, days_due, report_is_stalled, today


@transaction.atomic
def report_request(*, day: date, requested_by: User | None) -> SalesReport:
    """Have the report of *day* built, again if there is one. One that is under way is not asked for twice.

    Raises DayOutOfRange.
    """
    if not FIRST_DAY <= day <= today():
        raise DayOutOfRange(day, FIRST_DAY, today())
    now = timezone.now()
    _, new = SalesReport.objects.get_or_create(day=day, defaults={"requested_at": now, "requested_by": requested_by})
    report = SalesReport.objects.select_for_update().get(day=day)
    if not new:
        if report.is_under_way and not report_is_stalled(report):
            return report
        report.state, report.progress, report.error = SalesReport.State.REQUESTED, 0, ""
        report.requested_by, report.requested_at = requested_by, now
        report.save()
    publish("reports.build_sales_report", report_id=report.pk)
    return report


def reports_request_due() -> list[date]:
    """Ask for yesterday's report and for those that were missed lately; return their days."""
    days = days_due()
    for day in days:
        report_request(day=day, requested_by=None)
    return days
