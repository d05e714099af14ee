"""Reading reports, and the sales that they are made of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from apps.orders.models import Order, OrderLine
from config.limits import REPORT_MAKE_UP_DAYS, REPORT_SETTLED_AFTER, REPORT_STALLED_AFTER

from .days import ONE_DAY, day_bounds, day_of
from .models import SalesReport
from .sales import Sale

PAID = (Order.State.PAID, Order.State.SHIPPED, Order.State.FULFILLED)
CHUNK = 1000
FIRST_DAY = date(2000, 1, 1)


def project_zone() -> ZoneInfo:
    """The time zone that days are counted in."""
    return ZoneInfo(settings.TIME_ZONE)


def today() -> date:
    """The day that it is in the project's time zone."""
    return day_of(timezone.now(), project_zone())


def report_list() -> QuerySet[SalesReport]:
    """All reports, the last day first."""
    return SalesReport.objects.select_related("requested_by")


def report_is_stalled(report: SalesReport) -> bool:
    """Whether a report under way has been silent for so long that its job must be lost."""
    return report.is_under_way and report.changed_at < timezone.now() - REPORT_STALLED_AFTER


def sales_count(*, day: date) -> int:
    """How many sales there are on *day*."""
    return _sales(day).count()


def sales_of(*, day: date) -> Iterator[Sale]:
    """The sales of *day*, order by order: the lines of orders placed on it that are paid for.

    Streamed through a cursor of the server's, so that a large day takes no more memory than a small one.
    """
    zone = project_zone()
    rows = _sales(day).values_list(
        "order_id",
        "order__placed_at",
        "product__sku",
        "product__name",
        "quantity",
        "unit_price_cents",
        "order__currency",
    )
    for order_id, placed_at, sku, name, quantity, unit_price_cents, currency in rows.iterator(chunk_size=CHUNK):
        yield Sale(
            order_id=order_id,
            placed_at=placed_at.astimezone(zone),
            sku=sku,
            product=name,
            quantity=quantity,
            unit_price_cents=unit_price_cents,
            currency=currency,
        )


def days_due() -> list[date]:
    """The days whose report is to be built now: yesterday, and those of the last week that were missed.

    A day was missed when it has no report, one that failed, or one that was made before its last orders can have been
    paid. Days before the first order are not missed.
    """
    yesterday = today() - ONE_DAY
    first = Order.objects.order_by("placed_at").values_list("placed_at", flat=True).first()
    earliest = day_of(first, project_zone()) if first else yesterday
    days = [yesterday - timedelta(days=back) for back in range(REPORT_MAKE_UP_DAYS)]
    reports = {report.day: report for report in SalesReport.objects.filter(day__in=days)}
    return [day for day in days if (day == yesterday or day >= earliest) and not _is_settled(day, reports.get(day))]


def _is_settled(day: date, report: SalesReport | None) -> bool:
    if report is None:
        return False
    if report.is_under_way:
        return not report_is_stalled(report)
    settled_at: datetime = day_bounds(day, project_zone())[1] + REPORT_SETTLED_AFTER
    return report.state == SalesReport.State.READY and report.read_at is not None and report.read_at >= settled_at


def _sales(day: date) -> QuerySet[OrderLine]:
    begin, end = day_bounds(day, project_zone())
    lines = OrderLine.objects.filter(order__placed_at__gte=begin, order__placed_at__lt=end, order__state__in=PAID)
    return lines.order_by("order_id", "pk")
