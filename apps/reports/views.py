"""The pages: ask for a report, watch it being built, download it."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from .days import ONE_DAY
from .errors import DayOutOfRange
from .forms import ReportForm
from .selectors import project_zone, report_list, today
from .services.files import file_open
from .services.requesting import report_request

PER_PAGE = 31
CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "pdf": "application/pdf"}


@require_http_methods(["GET", "POST"])
@permission_required("reports.view_salesreport", raise_exception=True)
def report_index(request: HttpRequest) -> HttpResponse:
    """All reports, and the form for one more."""
    assert isinstance(request.user, User)  # noqa: S101 -- LoginRequiredMiddleware let them in
    form = ReportForm(request.POST or None, initial={"day": today() - ONE_DAY})
    if request.method == "POST":
        if not request.user.has_perm("reports.add_salesreport"):
            raise PermissionDenied
        if form.is_valid():
            try:
                report = report_request(day=form.cleaned_data["day"], requested_by=request.user)
            except DayOutOfRange as error:
                form.add_error("day", str(error))
            else:
                return redirect("reports:detail", report.pk)
    page = Paginator(report_list(), PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "reports/report_index.html", {"form": form, "page": page, "zone": project_zone().key})


@require_safe
@permission_required("reports.view_salesreport", raise_exception=True)
def report_detail(request: HttpRequest, report_id: int) -> HttpResponse:
    """One report. While it is under way the page loads itself again, and shows how far it has come."""
    report = get_object_or_404(report_list(), pk=report_id)
    return render(request, "reports/report_detail.html", {"report": report, "zone": project_zone().key})


@require_safe
@permission_required("reports.view_salesreport", raise_exception=True)
def report_file(request: HttpRequest, report_id: int, kind: str) -> HttpResponse | FileResponse:
    """A report's CSV or PDF, streamed through here, so that the permission is asked for each time."""
    report = get_object_or_404(report_list(), pk=report_id)
    name = {"csv": report.csv_name, "pdf": report.pdf_name}.get(kind)
    if not name:
        raise Http404
    try:
        file = file_open(name=name)
    except FileNotFoundError:
        messages.error(request, "The file is gone from storage: ask for the report again.")
        return redirect("reports:detail", report.pk)
    return FileResponse(
        file,
        as_attachment=True,
        filename=f"sales-{report.day}.{kind}",
        content_type=CONTENT_TYPES[kind],
        headers={"Cache-Control": "private, no-store"},
    )
