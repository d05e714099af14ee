"""The files of reports in storage: written under names that nobody knows yet, deleted when nobody names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import IO
from uuid import UUID

import structlog
from django.core.files.base import File
from django.core.files.storage import storages
from django.utils import timezone

from config.limits import REPORT_KEPT_FOR, REPORT_ORPHAN_AFTER

from ..models import SalesReport

DIRECTORY = "reports"
logger = structlog.get_logger(__name__)


def file_name(*, day: date, key: UUID, kind: str) -> str:
    """The name in storage of one build's file; *kind* is "csv" or "pdf"."""
    return f"{DIRECTORY}/{day}-{key.hex}.{kind}"


def files_write(*, contents: Mapping[str, File[bytes]]) -> None:
    """Store each file under its name. Raises what the storage raises."""
    for name, content in contents.items():
        storages["default"].save(name, content)


def file_open(*, name: str) -> IO[bytes]:
    """The stored file, for reading. Raises FileNotFoundError."""
    return storages["default"].open(name)


def files_delete(*, names: Iterable[str]) -> None:
    """Delete the files. What can't be deleted now is found by `files_delete_orphans` later."""
    for name in names:
        try:
            storages["default"].delete(name)
        except Exception as error:  # noqa: BLE001 -- each storage has errors of its own, and none is worth a report
            logger.warning("report_file_left", name=name, error=str(error))


def files_delete_orphans() -> int:
    """Delete the files that no report names and no build can be writing any more; return how many."""
    oldest = timezone.now() - REPORT_ORPHAN_AFTER
    orphans = [name for name in _stored() - _named() if storages["default"].get_modified_time(name) < oldest]
    files_delete(names=orphans)
    return len(orphans)


def reports_delete_old() -> int:
    """Delete the reports of days more than REPORT_KEPT_FOR ago, then their files; return how many reports."""
    old = SalesReport.objects.filter(day__lt=timezone.now().date() - REPORT_KEPT_FOR)
    names = [name for pair in old.values_list("csv_name", "pdf_name") for name in pair if name]
    deleted = old.delete()[0]
    files_delete(names=names)
    return deleted


def _stored() -> set[str]:
    try:
        return {f"{DIRECTORY}/{name}" for name in storages["default"].listdir(DIRECTORY)[1]}
    except FileNotFoundError:
        return set()


def _named() -> set[str]:
    return {name for pair in SalesReport.objects.values_list("csv_name", "pdf_name") for name in pair}
