"""What is kept in storage, and for how long."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from apps.reports.models import SalesReport
from apps.reports.services.files import files_delete, files_delete_orphans, files_write, reports_delete_old
from config.limits import REPORT_KEPT_FOR, REPORT_ORPHAN_AFTER

pytestmark = pytest.mark.django_db


def report(day: date) -> SalesReport:
    names = {"csv_name": f"reports/{day}.csv", "pdf_name": f"reports/{day}.pdf"}
    files_write(contents={name: ContentFile(b"x") for name in names.values()})
    return SalesReport.objects.create(day=day, state="ready", requested_at=timezone.now(), **names)


def stored(files: Path) -> list[str]:
    return sorted(file.name for file in (files / "reports").iterdir())


def test_what_a_killed_build_left_is_deleted_a_day_later(files: Path) -> None:
    """A file that is named, or may be named in a moment, is not."""
    report(date(2026, 1, 1))
    files_write(contents={"reports/old.csv": ContentFile(b"x"), "reports/young.csv": ContentFile(b"x")})
    for name in stored(files):
        if name != "young.csv":
            long_ago = (timezone.now() - REPORT_ORPHAN_AFTER - timedelta(minutes=1)).timestamp()
            os.utime(files / "reports" / name, (long_ago, long_ago))
    assert files_delete_orphans() == 1
    assert stored(files) == ["2026-01-01.csv", "2026-01-01.pdf", "young.csv"]


def test_with_no_files_at_all_there_is_nothing_to_do(files: Path) -> None:
    """The directory isn't there before the first report."""
    assert files_delete_orphans() == 0


def test_old_reports_go_with_their_files(files: Path) -> None:
    """Neither rows without files nor files without rows are left."""
    today = timezone.now().date()
    report(today - REPORT_KEPT_FOR - timedelta(days=2))
    kept = report(today)
    assert reports_delete_old() == 1
    assert [row.pk for row in SalesReport.objects.all()] == [kept.pk]
    assert stored(files) == [f"{today}.csv", f"{today}.pdf"]


def test_a_file_that_can_not_be_deleted_stops_nothing(files: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is an orphan, and will be found."""
    (files / "reports" / "directory" / "inside").mkdir(parents=True)
    files_write(contents={"reports/a.csv": ContentFile(b"x")})
    files_delete(names=["reports/directory", "reports/a.csv"])
    assert stored(files) == ["directory"]
