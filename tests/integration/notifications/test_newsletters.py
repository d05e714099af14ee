"""A newsletter reaches each subscriber once, whoever else refuses it and however often it is sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from apps.notifications.errors import MailRefused
from apps.notifications.models import Newsletter, NewsletterCopy, Subscription
from apps.notifications.selectors import newsletter_list
from apps.notifications.services import newsletters
from apps.notifications.services.newsletters import newsletter_copy_send, newsletter_release
from apps.notifications.services.subscriptions import subscription_end, subscription_start
from apps.notifications.tasks import send_newsletter, send_newsletter_copy
from config.queues import LOW
from project.celery import app
from tests.concurrency import at_once
from tests.servers.mail import MailServer
from tests.servers.messages import messages_take

Subscribe = Callable[..., list[User]]


@pytest.fixture
def subscribe(transactional_db: None) -> Subscribe:
    """Makes subscribers of these names."""

    def make(*names: str) -> list[User]:
        users = User.objects.bulk_create(User(username=name, email=f"{name}@example.com") for name in names)
        Subscription.objects.bulk_create(
            Subscription(user=user, started_at=timezone.now() - timedelta(minutes=1)) for user in users
        )
        return list(users)

    return make


@pytest.fixture
def newsletter(transactional_db: None, clean_broker: str) -> Newsletter:
    return Newsletter.objects.create(subject="Spring", body="The trees are out.")


def carry_out() -> list[str]:
    """Do what waits in the queue, as a worker would, until nothing waits; return what failed."""
    failures = []
    while messages := messages_take(LOW):
        for message in messages:
            try:
                app.tasks[message.task](*message.args, **message.kwargs)
            except Exception as error:  # noqa: BLE001 -- a worker goes on, too
                failures.append(str(error))
    return failures


def test_everybody_who_subscribed_gets_one(
    newsletter: Newsletter, subscribe: Subscribe, mail_server: MailServer
) -> None:
    """Those who never subscribed, have left, or came after it was sent get none."""
    subscribe("ada", "bob")
    (cleo,) = subscribe("cleo")
    subscription_end(user_id=cleo.pk)
    User.objects.create_user("dan", "dan@example.com")
    newsletter_release(newsletter_id=newsletter.pk)
    eve = User.objects.create_user("eve", "eve@example.com")
    subscription_start(user_id=eve.pk)
    assert carry_out() == []
    assert sorted(mail_server.recipients) == ["ada@example.com", "bob@example.com"]


def test_one_failing_address_does_not_stop_the_others(
    newsletter: Newsletter, subscribe: Subscribe, mail_server: MailServer
) -> None:
    """Each copy is a job of its own, with its own retries."""
    subscribe("ada", "bob", "cleo")
    mail_server.answers = {"bob@example.com": "550 no such user"}
    newsletter_release(newsletter_id=newsletter.pk)
    assert carry_out() == ["the mail server refused the mail (550): no such user"]
    assert sorted(mail_server.recipients) == ["ada@example.com", "cleo@example.com"]
    assert NewsletterCopy.objects.get(user__username="bob").refusal


def test_sending_again_sends_what_is_missing(
    newsletter: Newsletter, subscribe: Subscribe, mail_server: MailServer
) -> None:
    """After the mail server was away for longer than the retries lasted, say."""
    subscribe("ada", "bob")
    mail_server.answers = {"bob@example.com": "451 not now"}
    newsletter_release(newsletter_id=newsletter.pk)
    carry_out()
    mail_server.answers = {}
    newsletter_release(newsletter_id=newsletter.pk)
    carry_out()
    assert mail_server.recipients == ["ada@example.com", "bob@example.com"]


def test_many_deliveries_of_every_message_send_each_copy_once(
    newsletter: Newsletter, subscribe: Subscribe, mail_server: MailServer
) -> None:
    """The fan-out may run twice at once, and so may each copy."""
    subscribe("ada", "bob")
    newsletter_release(newsletter_id=newsletter.pk)
    messages_take(LOW)
    assert at_once(3, lambda: send_newsletter(newsletter.pk)) == [None] * 3
    assert NewsletterCopy.objects.count() == 2
    copies = list(NewsletterCopy.objects.values_list("pk", flat=True))
    for copy in copies:
        assert at_once(3, partial(send_newsletter_copy, copy)) == [None] * 3
    assert sorted(mail_server.recipients) == ["ada@example.com", "bob@example.com"]


def test_the_fan_out_goes_in_chunks(
    newsletter: Newsletter, subscribe: Subscribe, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred thousand subscribers are many short jobs, not one that lasts beyond its time limit."""
    monkeypatch.setattr(newsletters, "NEWSLETTER_CHUNK", 2)
    subscribe("a", "b", "c", "d", "e")
    newsletter_release(newsletter_id=newsletter.pk)
    messages_take(LOW)
    send_newsletter(newsletter.pk)
    waiting = messages_take(LOW)
    assert sorted(message.task for message in waiting) == [
        "notifications.send_newsletter",
        "notifications.send_newsletter_copy",
        "notifications.send_newsletter_copy",
    ]
    newsletter_release(newsletter_id=newsletter.pk)
    assert carry_out() == []
    assert len(mail_server.mails) == 5


def test_who_leaves_while_the_copy_waits_gets_none_and_nothing_fails(
    newsletter: Newsletter, subscribe: Subscribe, mail_server: MailServer
) -> None:
    """Leaving takes effect at once."""
    (ada,) = subscribe("ada")
    newsletter_release(newsletter_id=newsletter.pk)
    (fan_out,) = messages_take(LOW)
    send_newsletter(**fan_out.kwargs)
    subscription_end(user_id=ada.pk)
    assert carry_out() == []
    assert mail_server.mails == []
    assert "ended the subscription" in NewsletterCopy.objects.get().refusal


def test_each_copy_says_how_to_leave(
    newsletter: Newsletter, subscribe: Subscribe, mail_server: MailServer, settings: Settings, client: Client
) -> None:
    """In the text for people, and in the headers for mail programs, which POST to it (RFC 8058)."""
    settings.SITE_URL = "https://shop.example.com/"
    (ada,) = subscribe("ada")
    newsletter_release(newsletter_id=newsletter.pk)
    carry_out()
    (mail,) = mail_server.mails
    link = mail["List-Unsubscribe"].strip(" <>")
    assert link.startswith("https://shop.example.com/notifications/unsubscribe/")
    assert link in mail.get_content()
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = link.removeprefix("https://shop.example.com")
    assert client.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert Subscription.objects.get(user=ada).ended_at is not None


def test_a_refused_copy_raises_so_that_the_job_counts_as_failed(
    newsletter: Newsletter, subscribe: Subscribe, mail_server: MailServer
) -> None:
    """What could not be sent is seen."""
    (ada,) = subscribe("ada")
    copy = NewsletterCopy.objects.create(newsletter=newsletter, user=ada)
    mail_server.answers = {"ada@example.com": "550 no"}
    with pytest.raises(MailRefused):
        newsletter_copy_send(copy_id=copy.pk)


def test_the_counts_add_up(newsletter: Newsletter, subscribe: Subscribe, mail_server: MailServer) -> None:
    """The admin shows them."""
    users = subscribe("a", "b", "c")
    copies = [NewsletterCopy.objects.create(newsletter=newsletter, user=user) for user in users]
    NewsletterCopy.objects.filter(pk=copies[0].pk).update(sent_at=timezone.now())
    NewsletterCopy.objects.filter(pk=copies[1].pk).update(refusal="no such user")
    counted = newsletter_list().values("copies_sent", "copies_refused", "copies_waiting")
    assert list(counted) == [{"copies_sent": 1, "copies_refused": 1, "copies_waiting": 1}]


def test_the_admin_releases_a_newsletter_and_then_keeps_it_as_it_is(
    newsletter: Newsletter, admin_client: Client
) -> None:
    """Some have read it by then."""
    change = f"/admin/notifications/newsletter/{newsletter.pk}/change/"
    assert b'name="subject"' in admin_client.get(change).content
    admin_client.post(
        "/admin/notifications/newsletter/", {"action": "release", "_selected_action": [str(newsletter.pk)]}
    )
    assert [message.task for message in messages_take(LOW)] == ["notifications.send_newsletter"]
    assert b'name="subject"' not in admin_client.get(change).content


def test_a_subject_is_one_line(db: None) -> None:
    """It goes into a header."""
    with pytest.raises(ValidationError, match="one line"):
        Newsletter(subject="Spring\nBcc: all@example.com", body="x").full_clean()
