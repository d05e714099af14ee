"""Building a report: one pass over the sales, so that its CSV and its PDF say the same."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import date, datetime
from io import TextIOWrapper
from typing import IO
from uuid import UUID, uuid4

from django.core.files.base import ContentFile, File
from django.db import transaction
from django.utils import timezone

from ..errors import BuildReplaced
from ..models import ERROR_MAX_LENGTH, SalesReport
from ..sales import Totals
from ..selectors import project_zone, sales_count, sales_of
from ..spreadsheet import ENCODING, SalesSheet
from .files import file_name, files_delete, files_write

State = SalesReport.State
READ_PERCENT = 80  # of the work is reading; the rest is the PDF and storing both


@dataclass(slots=True)
class Build:
    """One attempt to build one report. `key` fences it: who finds another key on the row has been replaced."""

    report_id: int
    day: date
    key: UUID = field(default_factory=uuid4)
    read_at: datetime = field(default_factory=timezone.now)
    percent: int = 0

    def progress(self, percent: int) -> None:
        """Commit how far it has come, when that is further than before. Raises BuildReplaced."""
        if percent <= self.percent:
            return
        self.percent = percent
        self._update(progress=percent)

    def fail(self, error: Exception) -> None:
        """Note why it ended. Raises BuildReplaced."""
        self._update(state=State.FAILED, error=(str(error) or type(error).__name__)[:ERROR_MAX_LENGTH])

    def _update(self, **values: object) -> None:
        mine = SalesReport.objects.filter(pk=self.report_id, build_key=self.key)
        if not mine.update(**values, changed_at=timezone.now()):
            raise BuildReplaced(self.report_id)


def report_build(*, report_id: int) -> None:
    """Build the report that was asked for. One that is ready is left alone: the message was delivered again.

    Raises BuildReplaced when another delivery took over, and what the storage and the database raise.
    """
    build = _begin(report_id)
    if build is None:
        return
    try:
        _build(build)
    except BuildReplaced:
        raise
    except Exception as error:
        build.fail(error)
        raise


@transaction.atomic
def _begin(report_id: int) -> Build | None:
    report = SalesReport.objects.select_for_update().filter(pk=report_id).first()
    if report is None or report.state == State.READY:
        return None
    build = Build(report_id, report.day)
    report.state, report.progress, report.error, report.build_key = State.RUNNING, 0, "", build.key
    report.save()
    return build


def _build(build: Build) -> None:
    names = {kind: file_name(day=build.day, key=build.key, kind=kind) for kind in ("csv", "pdf")}
    try:
        totals = _write(build, names)
    except BaseException:  # a time limit, too
        files_delete(names=names.values())
        raise
    try:
        _finish(build, totals, names)
    except BuildReplaced:  # after any other error the row may name the files all the same
        files_delete(names=names.values())
        raise


def _write(build: Build, names: dict[str, str]) -> Totals:
    with tempfile.TemporaryFile() as sheet:
        totals = _read(build, sheet)
        zone = project_zone()
        # Its library takes a tenth of a process's start, and only this job needs it.
        from ..document import sales_document

        pdf = sales_document(day=build.day, zone=zone.key, totals=totals, read_at=build.read_at.astimezone(zone))
        build.progress(90)
        files_write(contents={names["csv"]: File(sheet), names["pdf"]: ContentFile(pdf)})
    return totals


def _read(build: Build, sheet: IO[bytes]) -> Totals:
    """Write the sales to *sheet*, add them up, and rewind it."""
    expected = max(1, sales_count(day=build.day))
    totals = Totals()
    text = TextIOWrapper(sheet, encoding=ENCODING, newline="", write_through=True)
    rows = SalesSheet(text)
    for done, sale in enumerate(sales_of(day=build.day), start=1):
        rows.write(sale)
        totals.add(sale)
        build.progress(min(READ_PERCENT, READ_PERCENT * done // expected))
    text.detach()  # which leaves the file beneath open
    sheet.seek(0)
    return totals


@transaction.atomic
def _finish(build: Build, totals: Totals, names: dict[str, str]) -> None:
    report = SalesReport.objects.select_for_update().filter(pk=build.report_id, build_key=build.key).first()
    if report is None:
        raise BuildReplaced(build.report_id)
    before = [name for name in (report.csv_name, report.pdf_name) if name]
    report.csv_name, report.pdf_name = names["csv"], names["pdf"]
    report.orders, report.items, report.total_cents = totals.orders, totals.items, totals.amount_cents
    report.currency, report.read_at, report.ready_at = totals.currency, build.read_at, timezone.now()
    report.state, report.progress = State.READY, 100
    report.save()
    transaction.on_commit(lambda: files_delete(names=before), robust=True)
