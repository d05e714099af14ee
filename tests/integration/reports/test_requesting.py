"""Which reports are asked for, by people and by the schedule."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from apps.orders.tasks import charge_payment
from apps.reports import selectors
from apps.reports.errors import DayOutOfRange
from apps.reports.models import SalesReport
from apps.reports.services.requesting import report_request, reports_request_due
from apps.reports.tasks import build_daily_report
from config.limits import PAYMENT_RETRY_DELAYS, REPORT_SETTLED_AFTER, REPORT_STALLED_AFTER
from config.queues import LOW
from tests.concurrency import at_once
from tests.integration.reports.conftest import Sell
from tests.servers.messages import messages_take

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean_broker")]
TODAY = date(2026, 11, 10)
ONE_DAY = timedelta(days=1)
State = SalesReport.State


@pytest.fixture(autouse=True)
def nine_o_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is nine in the morning of TODAY, in Berlin."""
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 11, 10, 8, tzinfo=UTC))


def ready(day: date, read_at: datetime) -> SalesReport:
    return SalesReport.objects.create(day=day, state=State.READY, read_at=read_at, requested_at=read_at)


def published() -> list[int]:
    messages = messages_take(LOW)
    assert {message.task for message in messages} <= {"reports.build_sales_report"}
    return [message.kwargs["report_id"] for message in messages]


def test_at_nine_the_report_of_the_day_before_is_asked_for() -> None:
    """Also by a shop that has not sold anything yet."""
    build_daily_report()
    report = SalesReport.objects.get()
    assert (report.day, report.state, report.requested_by) == (TODAY - ONE_DAY, "requested", None)
    assert published() == [report.pk]


def test_what_nobody_was_there_to_build_is_made_up_for(sell: Sell) -> None:
    """Beat or the workers were away for some days; but nothing was missed before there was a shop."""
    sell(datetime(2026, 11, 6, 12, tzinfo=UTC))
    assert reports_request_due() == [date(2026, 11, day) for day in (9, 8, 7, 6)]


def test_not_more_than_a_week_is_made_up_for(sell: Sell) -> None:
    """A shop that was closed for a year asks for the rest by hand."""
    sell(datetime(2025, 1, 1, tzinfo=UTC))
    assert reports_request_due() == [TODAY - back * ONE_DAY for back in range(1, 8)]


@pytest.mark.parametrize("too_soon", [timedelta(hours=-3), timedelta(seconds=10)], ids=["evening", "midnight"])
def test_what_is_ready_is_not_built_again_unless_the_day_was_not_over_when_it_was_read(
    sell: Sell, too_soon: timedelta
) -> None:
    """Somebody looked at the evening's figures, or at midnight's: the last orders were not paid yet."""
    sell(datetime(2026, 11, 8, 12, tzinfo=UTC))
    over_at = datetime(2026, 11, 8, 23, tzinfo=UTC)
    ready(date(2026, 11, 8), over_at + REPORT_SETTLED_AFTER)
    ready(date(2026, 11, 9), over_at + ONE_DAY + too_soon)
    assert reports_request_due() == [date(2026, 11, 9)]


def test_a_days_last_order_is_paid_before_its_report_counts_as_whole() -> None:
    """Its charge is tried again and again; each attempt may take as long as it is given."""
    attempts = len(PAYMENT_RETRY_DELAYS) + 1
    longest = sum(PAYMENT_RETRY_DELAYS, timedelta(0)) + attempts * timedelta(seconds=charge_payment.time_limit or 0)
    assert longest < REPORT_SETTLED_AFTER


@pytest.mark.parametrize(("state", "asked"), [(State.FAILED, True), (State.RUNNING, False), (State.REQUESTED, False)])
def test_a_failed_report_is_tried_again_and_one_under_way_is_left_alone(state: str, asked: bool) -> None:
    """What failed yesterday may work today."""
    SalesReport.objects.create(day=TODAY - ONE_DAY, state=state, requested_at=timezone.now())
    assert bool(reports_request_due()) is asked


def test_asking_twice_publishes_once_until_the_job_must_be_lost() -> None:
    """A double click is one job; but a job that was killed must not block its report for ever."""
    first = report_request(day=TODAY, requested_by=None)
    report_request(day=TODAY, requested_by=None)
    assert published() == [first.pk]
    long_ago = timezone.now() - REPORT_STALLED_AFTER - timedelta(seconds=1)
    SalesReport.objects.update(state=State.RUNNING, changed_at=long_ago)
    assert report_request(day=TODAY, requested_by=None).state == "requested"
    assert published() == [first.pk]


def test_many_who_ask_at_once_get_one_report() -> None:
    """There is one report a day."""
    reports = at_once(5, lambda: report_request(day=TODAY, requested_by=None).pk)
    assert len(set(map(str, reports))) == 1, reports
    assert len(published()) == 1


def test_who_asked_is_noted() -> None:
    """The page says who."""
    user = User.objects.create_user("boss")
    assert report_request(day=TODAY, requested_by=user).requested_by == user


@pytest.mark.parametrize("day", [TODAY + ONE_DAY, date(1999, 12, 31), date.min, date.max])
def test_days_without_sense_are_refused(day: date) -> None:
    """The future has no sales yet, and the year 1 no time zone."""
    with pytest.raises(DayOutOfRange):
        report_request(day=day, requested_by=None)


def test_the_day_before_is_the_projects_not_utcs(monkeypatch: pytest.MonkeyPatch) -> None:
    """At half past midnight in Berlin it is still yesterday in UTC."""
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 11, 9, 23, 30, tzinfo=UTC))
    assert selectors.today() == TODAY
