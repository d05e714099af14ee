"""The pages and the API of reports."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from apps.reports.models import SalesReport
from apps.reports.services.building import report_build
from tests.integration.reports.conftest import Sell

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean_broker", "files")]


@pytest.fixture
def reader(client: Client) -> Client:
    """Somebody who may look at reports, but not ask for one."""
    user = User.objects.create_user("reader")
    user.user_permissions.add(Permission.objects.get(codename="view_salesreport"))
    client.force_login(user)
    return client


@pytest.fixture
def report(sell: Sell) -> SalesReport:
    sell(datetime(2026, 1, 5, 12, tzinfo=UTC), 2)
    report = SalesReport.objects.create(day="2026-01-05", requested_at=datetime.now(UTC))
    report_build(report_id=report.pk)
    return report


def test_a_report_is_asked_for_watched_and_downloaded(admin_client: Client, sell: Sell) -> None:
    """The page loads itself again until there is nothing more to come."""
    sell(datetime(2026, 1, 5, 12, tzinfo=UTC), 2)
    answer = admin_client.post("/reports/", {"day": "2026-01-05"}, follow=True)
    page = answer.content.decode()
    assert 'http-equiv="refresh"' in page
    assert "<progress" in page
    report = SalesReport.objects.get()
    report_build(report_id=report.pk)
    page = admin_client.get(f"/reports/{report.pk}/").content.decode()
    assert 'http-equiv="refresh"' not in page
    assert "25.00" in page
    assert b"2026-01-05" in admin_client.get("/reports/").content


def test_the_files_come_through_a_view_as_downloads(reader: Client, report: SalesReport) -> None:
    """Never by an address in storage, which anybody could pass on; and never shown inside our own site."""
    for kind, kind_type, begin in (
        ("csv", "text/csv; charset=utf-8", b"\xef\xbb\xbf"),
        ("pdf", "application/pdf", b"%PDF-"),
    ):
        answer = reader.get(f"/reports/{report.pk}/sales.{kind}")
        assert answer.headers["Content-Type"] == kind_type
        assert answer.headers["Content-Disposition"] == f'attachment; filename="sales-2026-01-05.{kind}"'
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert b"".join(answer.streaming_content).startswith(begin)  # type: ignore[attr-defined]
        answer.close()
    assert reader.get(f"/reports/{report.pk}/sales.exe").status_code == 404


def test_nothing_of_it_is_for_those_without_the_permission(client: Client, report: SalesReport) -> None:
    """Sales figures are not for customers."""
    client.force_login(User.objects.create_user("nosy"))
    for url in ("", f"{report.pk}/", f"{report.pk}/sales.csv", f"{report.pk}/sales.pdf"):
        assert client.get(f"/reports/{url}").status_code == 403, url
    for url in ("", f"/{report.pk}"):
        assert client.get(f"/api/reports{url}").status_code == 403, url
    asked = client.post("/api/reports", {"day": "2026-01-06"}, content_type="application/json")
    assert asked.status_code == 403
    assert SalesReport.objects.count() == 1


def test_who_may_look_may_not_ask(reader: Client, report: SalesReport) -> None:
    """A build costs something."""
    assert b"Build the report" not in reader.get("/reports/").content
    assert reader.post("/reports/", {"day": "2026-01-06"}).status_code == 403
    asked = reader.post("/api/reports", {"day": "2026-01-06"}, content_type="application/json")
    assert asked.status_code == 403
    assert reader.get(f"/api/reports/{report.pk}").json()["total_cents"] == 2500


def test_a_file_that_is_gone_from_storage_is_explained(reader: Client, report: SalesReport, files: Path) -> None:
    """Not with an error page."""
    for file in (files / "reports").iterdir():
        file.unlink()
    answer = reader.get(f"/reports/{report.pk}/sales.csv", follow=True)
    assert "gone from storage" in answer.content.decode()


def test_the_page_says_what_is_wrong_with_a_day(admin_client: Client) -> None:
    """Tomorrow has no sales."""
    answer = admin_client.post("/reports/", {"day": "2999-01-01"})
    assert "there are reports from 2000-01-01 to" in answer.content.decode()


def test_the_api_tells_how_far_a_report_has_come(admin_client: Client) -> None:
    """Asked for with POST, answered 202, then looked at until it is ready."""
    asked = admin_client.post("/api/reports", {"day": "2026-01-05"}, content_type="application/json")
    assert asked.status_code == 202
    url = f"/api/reports/{asked.json()['id']}"
    assert admin_client.get(url).json()["state"] == "requested"
    SalesReport.objects.update(state="running", progress=40)
    assert admin_client.get(url).json()["progress"] == 40
    assert [item["day"] for item in admin_client.get("/api/reports").json()["items"]] == ["2026-01-05"]


@pytest.mark.parametrize("day", ["2999-01-01", "0001-01-01", "9999-12-31", "yesterday", 5e20])
def test_the_api_refuses_a_day_without_sense(admin_client: Client, day: object) -> None:
    """With 422 and a reason, never with 500."""
    answer = admin_client.post("/api/reports", {"day": day}, content_type="application/json")
    assert answer.status_code == 422, answer.content
    assert answer.json()["detail"]
