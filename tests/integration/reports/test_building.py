"""Building a report from real rows into a real storage."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.db import connection
from pytest_django import Settings

from apps.reports import document
from apps.reports.errors import BuildReplaced
from apps.reports.models import SalesReport
from apps.reports.services import building
from apps.reports.services.building import report_build
from apps.reports.services.requesting import report_request
from apps.reports.spreadsheet import SalesSheet
from apps.reports.tasks import build_sales_report
from tests.concurrency import at_once
from tests.integration.reports.conftest import Sell
from tests.servers.s3 import S3Server

DAY = date(2026, 3, 29)  # clocks go forward in Berlin: the day is from 23:00 to 22:00 UTC
NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean_broker")]


def built() -> SalesReport:
    report = report_request(day=DAY, requested_by=None)
    report_build(report_id=report.pk)
    report.refresh_from_db()
    return report


def rows(report: SalesReport) -> list[list[str]]:
    with storages["default"].open(report.csv_name) as file:
        return list(csv.reader(io.StringIO(file.read().decode("utf-8-sig"), newline="")))[1:]


def stored(files: Path) -> set[str]:
    return {str(file.relative_to(files)) for file in files.rglob("*") if file.is_file()}


def test_the_report_says_what_was_paid_for_on_the_day_in_both_files(files: Path, sell: Sell) -> None:
    """Orders that were cancelled, or are not paid yet, are no sales."""
    first = sell(NOON, 2)
    second = sell(NOON, 1, name="=SUM(A1)", price_cents=995, state="paid")
    sell(NOON, state="cancelled")
    sell(NOON, state="reserved")
    report = built()
    assert (report.state, report.progress, report.error) == ("ready", 100, "")
    assert (report.orders, report.items, report.total_cents, report.currency) == (2, 3, 3495, "eur")
    assert rows(report) == [
        [str(first.pk), "2026-03-29T14:00:00+02:00", "ROOT-0", "Apple", "2", "12.50", "25.00", "EUR"],
        [str(second.pk), "2026-03-29T14:00:00+02:00", "ROOT-1", "'=SUM(A1)", "1", "9.95", "9.95", "EUR"],
    ]
    with storages["default"].open(report.pdf_name) as pdf:
        assert pdf.read(5) == b"%PDF-"


def test_the_day_is_the_projects_on_a_day_when_the_clocks_change(files: Path, sell: Sell) -> None:
    """Both ends, to the microsecond."""
    moment = timedelta(microseconds=1)
    begin, end = datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)
    sell(begin - moment)
    inside = [sell(begin), sell(end - moment)]
    sell(end)
    assert [int(row[0]) for row in rows(built())] == [order.pk for order in inside]


def test_a_report_that_is_built_again_replaces_the_one_before(files: Path, sell: Sell) -> None:
    """Late payments belong in it; and the files before them are not kept."""
    sell(NOON)
    before = built()
    sell(NOON)
    after = built()
    assert SalesReport.objects.count() == 1
    assert (before.orders, after.orders) == (1, 2)
    assert stored(files) == {after.csv_name, after.pdf_name}


def test_a_message_that_is_delivered_again_builds_nothing(files: Path, sell: Sell) -> None:
    """What is ready was not asked for again."""
    report = built()
    report_build(report_id=report.pk)
    assert SalesReport.objects.get().ready_at == report.ready_at


def test_a_report_can_be_read_while_it_is_built_again(files: Path, sell: Sell, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a build that fails leaves the one before in its place, and no files of its own."""
    ready = built()
    seen: list[SalesReport] = []

    def fail(**_: Any) -> bytes:
        seen.append(SalesReport.objects.get())
        raise OSError("the disk is full")

    monkeypatch.setattr(document, "sales_document", fail)
    report_request(day=DAY, requested_by=None)
    with pytest.raises(OSError, match="full"):
        report_build(report_id=ready.pk)
    assert (seen[0].state, seen[0].csv_name) == ("running", ready.csv_name)
    failed = SalesReport.objects.get()
    assert (failed.state, failed.error, failed.csv_name) == ("failed", "the disk is full", ready.csv_name)
    assert stored(files) == {ready.csv_name, ready.pdf_name}


def test_the_retry_of_a_failed_build_makes_it_good(files: Path, sell: Sell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A storage that is away for a moment is no reason for a day without a report."""
    report = report_request(day=DAY, requested_by=None)
    with monkeypatch.context() as patched:
        patched.setattr(building, "files_write", lambda **_: (_ for _ in ()).throw(OSError("away")))
        with pytest.raises(OSError, match="away"):
            report_build(report_id=report.pk)
    report_build(report_id=report.pk)
    report.refresh_from_db()
    assert (report.state, report.error) == ("ready", "")


def test_progress_is_committed_as_it_goes(files: Path, sell: Sell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page that somebody watches must see it, from another connection."""
    for _ in range(10):
        sell(NOON)
    report = report_request(day=DAY, requested_by=None)
    seen: list[int] = []
    write = SalesSheet.write

    def watch(sheet: SalesSheet, sale: Any) -> None:
        write(sheet, sale)
        (progress,) = at_once(1, lambda: SalesReport.objects.get().progress)
        assert isinstance(progress, int)
        seen.append(progress)

    monkeypatch.setattr(SalesSheet, "write", watch)
    report_build(report_id=report.pk)
    assert seen == [0, 8, 16, 24, 32, 40, 48, 56, 64, 72]


def test_a_build_that_another_delivery_took_over_stops_and_leaves_nothing(
    files: Path, sell: Sell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was given up for dead while it was only slow. What it read is older than what the other one reads."""
    sell(NOON)
    report = report_request(day=DAY, requested_by=None)
    read = building._read
    in_the_middle = True

    def overtaken(*args: Any) -> Any:
        nonlocal in_the_middle
        if in_the_middle:
            in_the_middle = False
            report_build(report_id=report.pk)
        return read(*args)

    monkeypatch.setattr(building, "_read", overtaken)
    with pytest.raises(BuildReplaced):
        report_build(report_id=report.pk)
    done = SalesReport.objects.get()
    assert (done.state, done.progress, done.error) == ("ready", 100, "")
    assert stored(files) == {done.csv_name, done.pdf_name}


def test_many_deliveries_at_once_leave_one_report(files: Path, sell: Sell) -> None:
    """Whichever of them wins, what is stored is what the row names."""
    for _ in range(20):
        sell(NOON)
    report = report_request(day=DAY, requested_by=None)
    assert at_once(4, lambda: build_sales_report(report.pk)) == [None] * 4
    done = SalesReport.objects.get()
    assert (done.state, done.orders) == ("ready", 20)
    assert stored(files) == {done.csv_name, done.pdf_name}


def test_sales_are_streamed(files: Path, sell: Sell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of a million sales must not be held in memory: they come through a cursor of the server's."""
    sell(NOON)
    cursors: list[Any] = []
    chunked = connection.chunked_cursor

    def watch() -> Any:
        cursors.append(chunked())
        return cursors[-1]

    monkeypatch.setattr(connection, "chunked_cursor", watch)
    built()
    assert len(cursors) == 1


def test_two_currencies_on_one_day_are_an_error_that_says_so(files: Path, sell: Sell) -> None:
    """Rather than a sum of euros and dollars."""
    sell(NOON)
    dollars = sell(NOON)
    dollars.currency = "usd"
    dollars.save(update_fields=["currency"])
    report = report_request(day=DAY, requested_by=None)
    with pytest.raises(Exception, match="sales in eur and usd"):
        report_build(report_id=report.pk)
    assert "eur and usd" in SalesReport.objects.get().error


def test_a_report_is_stored_in_s3_where_that_is_the_storage(s3: S3Server, sell: Sell, settings: Settings) -> None:
    """The same names, and the files before are deleted there, too."""
    sell(NOON)
    built()
    report = built()
    assert sorted(s3.names()) == sorted([report.csv_name, report.pdf_name])
    assert len(rows(report)) == 1


def test_a_report_that_is_gone_is_nothing_to_do(files: Path) -> None:
    """It may be deleted while its message waits."""
    report_build(report_id=4711)
