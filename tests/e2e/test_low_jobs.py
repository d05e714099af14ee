"""A real worker of the class `low`: mails and reports, from the click to the reader."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.notifications.models import Newsletter, NewsletterCopy, Reminder, Subscription
from apps.notifications.services.newsletters import newsletter_release
from apps.reports.models import SalesReport
from project.local.child import Child
from project.local.ports import HOST
from project.local.waiting import wait_until
from tests.servers.mail import MailServer, mail_server
from tests.servers.procfile import StartProcess, start_process

__all__ = ["mail_server", "start_process"]

WITHIN = timedelta(seconds=60)
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker(start_process: StartProcess, mail_server: MailServer, tmp_path: Path) -> Child:
    return start_process(
        "worker_low", EMAIL_URL=f"smtp://{HOST}:{mail_server.port}", MEDIA_ROOT=str(tmp_path / "media")
    )


def test_a_reminder_arrives_when_it_is_due(worker: Child, mail_server: MailServer, client: Client) -> None:
    """Not before, and once."""
    client.force_login(User.objects.create_user("ada", "ada@example.com"))
    due_at = timezone.now() + timedelta(seconds=4)
    body = {"text": "Water the rootstocks", "due_at": due_at.isoformat()}
    assert client.post("/api/notifications/reminders", body, content_type="application/json").status_code == 201
    assert wait_until(lambda: Reminder.objects.get().sent_at is not None, within=WITHIN), worker.log_tail()
    (mail,) = mail_server.mails
    assert "Water the rootstocks" in mail.get_content()
    sent_at = Reminder.objects.get().sent_at
    assert sent_at is not None
    assert sent_at >= due_at


def test_a_newsletter_reaches_everybody_though_the_worker_is_killed_in_the_middle(
    worker: Child, mail_server: MailServer
) -> None:
    """What it was at comes back to the queue; what it had done is in the rows."""
    users = User.objects.bulk_create(User(username=f"u{n}", email=f"u{n}@example.com") for n in range(60))
    began = timezone.now() - timedelta(minutes=1)
    Subscription.objects.bulk_create(Subscription(user=user, started_at=began) for user in users)
    newsletter = Newsletter.objects.create(subject="Spring", body="The trees are out.")
    newsletter_release(newsletter_id=newsletter.pk)
    assert wait_until(lambda: len(mail_server.mails) >= 10, within=WITHIN), worker.log_tail()
    for child in psutil.Process(worker.pid).children():
        child.kill()
    sent = NewsletterCopy.objects.filter(sent_at__isnull=False)
    assert wait_until(lambda: sent.count() == 60, within=WITHIN), worker.log_tail()
    assert set(mail_server.recipients) == {user.email for user in users}
    # Only the mail that was between the server's answer and the commit may have gone out twice, under one Message-ID.
    assert len(mail_server.mails) <= 61
    assert len({mail["Message-ID"] for mail in mail_server.mails}) == 60


def test_a_report_is_asked_for_on_the_page_and_built_by_the_worker(worker: Child, admin_client: Client) -> None:
    """The page shows how far it has come."""
    page = admin_client.post("/reports/", {"day": str(timezone.localdate())}, follow=True)
    report = SalesReport.objects.get()
    assert f"/reports/{report.pk}/" in page.request["PATH_INFO"]
    ready = wait_until(lambda: SalesReport.objects.get().state == SalesReport.State.READY, within=WITHIN)
    assert ready, worker.log_tail()
    assert b"Download the PDF" in admin_client.get(f"/reports/{report.pk}/").content
