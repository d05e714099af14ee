"""The HTTP API of reports, for who has the permissions to view and to add them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema, Status
from ninja.errors import HttpError
from ninja.pagination import paginate
from pydantic import Field

from apps.pagination import BoundedPages

from .errors import DayOutOfRange
from .models import SalesReport
from .selectors import report_list
from .services.requesting import report_request

router = Router()
ReportId = Annotated[int, Field(ge=1, le=2**63 - 1)]


class ReportIn(Schema):
    """The day to report on, in the project's time zone."""

    day: date


class ReportOut(Schema):
    """A report and how far it has come. Sums are of the last build that was ready."""

    id: int
    day: date
    state: str
    progress: int
    error: str
    orders: int
    items: int
    total_cents: int
    currency: str
    has_files: bool
    requested_at: datetime
    ready_at: datetime | None


class Problem(Schema):
    """Why a request was refused."""

    detail: str


def _require(request: HttpRequest, permission: str) -> User:
    assert isinstance(request.user, User)  # noqa: S101 -- `django_auth` let them in
    if not request.user.has_perm(permission):
        raise HttpError(403, f"you need the permission {permission}")
    return request.user


@router.post("", response={202: ReportOut, 403: Problem, 422: Problem})
def ask(request: HttpRequest, payload: ReportIn) -> Status[SalesReport] | Status[dict[str, str]]:
    """Have a day's report built, again if there is one; look at its `progress` for how far that has come."""
    user = _require(request, "reports.add_salesreport")
    try:
        return Status(202, report_request(day=payload.day, requested_by=user))
    except DayOutOfRange as error:
        return Status(422, {"detail": str(error)})


@router.get("", response={200: list[ReportOut]})
@paginate(BoundedPages, page_size=50)
def listing(request: HttpRequest) -> QuerySet[SalesReport]:
    """The reports, the last day first."""
    _require(request, "reports.view_salesreport")
    return report_list()


@router.get("/{report_id}", response={200: ReportOut, 403: Problem, 404: Problem})
def one(request: HttpRequest, report_id: ReportId) -> SalesReport:
    """One report."""
    _require(request, "reports.view_salesreport")
    return get_object_or_404(report_list(), pk=report_id)
