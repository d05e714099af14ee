"""The pages and the API of notifications."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.notifications.models import Reminder, Subscription
from apps.notifications.services.subscriptions import subscription_start, unsubscribe_url

HOUR = timedelta(hours=1)


@pytest.fixture
def as_ada(ada: User, client: Client, clean_broker: str) -> Client:
    client.force_login(ada)
    return client


def path(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def test_a_reminder_is_noted_on_the_page_in_the_projects_time_zone(as_ada: Client) -> None:
    """The browser sends the time on the clock, without a zone."""
    due_at = (timezone.localtime() + HOUR).replace(second=0, microsecond=0)
    answer = as_ada.post("/notifications/", {"text": "Graft", "due_at": f"{due_at:%Y-%m-%dT%H:%M}"}, follow=True)
    assert b"Graft" in answer.content
    assert Reminder.objects.get().due_at == due_at


def test_the_page_says_what_is_wrong(as_ada: Client) -> None:
    """A moment that is past can't be meant."""
    answer = as_ada.post("/notifications/", {"text": "Graft", "due_at": "2020-01-01T09:00"})
    assert b"must be due within the next 366 days" in answer.content


def test_the_page_starts_and_ends_the_newsletter(as_ada: Client, ada: User) -> None:
    """Who subscribes is the subscriber's own choice."""
    as_ada.post("/notifications/subscription/", {"active": "yes"})
    assert Subscription.objects.get(user=ada).ended_at is None
    as_ada.post("/notifications/subscription/", {"active": "no"})
    assert Subscription.objects.get(user=ada).ended_at is not None
    as_ada.post("/notifications/subscription/", {"active": "yes"})
    assert Subscription.objects.get(user=ada).ended_at is None


def test_the_unsubscribe_page_needs_no_login_asks_on_get_and_acts_on_post(ada: User) -> None:
    """Mail scanners follow links, so following one must change nothing; and mail programs POST without a CSRF token."""
    subscription_start(user_id=ada.pk)
    visitor = Client(enforce_csrf_checks=True)
    link = path(unsubscribe_url(user_id=ada.pk))
    assert b"Stop sending you the newsletter?" in visitor.get(link).content
    assert Subscription.objects.get().ended_at is None
    assert "any more" in visitor.post(link).content.decode()
    assert Subscription.objects.get().ended_at is not None


@pytest.mark.parametrize("token", ["1", "1:forged", "x", "1:" + "A" * 43])
def test_a_forged_token_changes_nothing(ada: User, client: Client, token: str) -> None:
    """Nobody ends somebody else's subscription by counting up."""
    subscription_start(user_id=ada.pk)
    answer = client.post(f"/notifications/unsubscribe/{token}/")
    assert answer.status_code == 404
    assert b"Nothing was changed" in answer.content
    assert Subscription.objects.get().ended_at is None


def test_every_other_page_asks_for_a_login(transactional_db: None, client: Client) -> None:
    """The unsubscribe page is the only public one."""
    for url in ("/notifications/", "/notifications/subscription/", "/reports/", "/supplier/"):
        assert client.get(url).headers.get("Location", "").startswith("/login/"), url
    for url in ("/api/notifications/reminders", "/api/reports", "/api/supplier/offers"):
        assert client.get(url).status_code == 401, url


def test_the_api_notes_a_reminder_and_lists_your_own(as_ada: Client, ada: User) -> None:
    """Nobody sees somebody else's."""
    other = User.objects.create_user("bob", "bob@example.com")
    Reminder.objects.create(user=other, text="not yours", due_at=timezone.now())
    body = {"text": "Graft", "due_at": (timezone.now() + HOUR).isoformat()}
    answer = as_ada.post("/api/notifications/reminders", body, content_type="application/json")
    assert answer.status_code == 201, answer.content
    listed = as_ada.get("/api/notifications/reminders").json()
    assert [item["text"] for item in listed["items"]] == ["Graft"]


@pytest.mark.parametrize(
    "body",
    [
        {"text": "Graft", "due_at": "2030-01-01T09:00:00"},  # which zone?
        {"text": "", "due_at": "2030-01-01T09:00:00Z"},
        {"text": "a\x00b", "due_at": "2030-01-01T09:00:00Z"},
        {"text": "Graft", "due_at": "0001-01-01T00:00:00+14:00"},
        {"text": "Graft", "due_at": "9999-12-31T23:59:59-14:00"},
        {"text": "x" * 501, "due_at": "2030-01-01T09:00:00Z"},
    ],
)
def test_the_api_refuses_what_can_not_be_meant(as_ada: Client, body: dict[str, str]) -> None:
    """With 422 and a reason, never with 500."""
    answer = as_ada.post("/api/notifications/reminders", body, content_type="application/json")
    assert answer.status_code == 422, answer.content


def test_the_api_starts_and_ends_the_newsletter(as_ada: Client) -> None:
    """The same as the page."""
    url = "/api/notifications/subscription"
    assert as_ada.get(url).json() == {"active": False}
    as_ada.put(url, {"active": True}, content_type="application/json")
    assert as_ada.get(url).json() == {"active": True}


def test_a_page_number_beyond_all_sense_is_refused(as_ada: Client) -> None:
    """PostgreSQL answers an OFFSET above 64 bits with an error."""
    assert as_ada.get("/api/notifications/reminders?page=1000000000000000000").status_code == 422
