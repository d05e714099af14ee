"""A mail that was refused for good, and whose dead letter is redriven when the cause is put right."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from apps.notifications.models import Newsletter, NewsletterCopy, Reminder, Subscription, Welcome
from apps.notifications.tasks import send_newsletter_copy, send_reminder, send_welcome
from tasks.execution.redrive import redrive
from tasks.failure.letter_models import DeadLetter
from tests.integration.tasks.redrive.dying import delivered, sent
from tests.servers.mail import MailServer

pytestmark = pytest.mark.django_db(transaction=True)


def welcome(user: User) -> str:
    Welcome.objects.create(user=user)
    return send_welcome.enqueue(user.pk)


def reminder(user: User) -> str:
    return send_reminder.enqueue(Reminder.objects.create(user=user, text="water", due_at=timezone.now()).pk)


def copy(user: User) -> str:
    Subscription.objects.create(user=user, started_at=timezone.now())
    newsletter = Newsletter.objects.create(subject="News", body="none")
    return send_newsletter_copy.enqueue(NewsletterCopy.objects.create(newsletter=newsletter, user=user).pk)


@pytest.mark.parametrize("mail", [welcome, reminder, copy])
def test_it_goes_out(ada: User, mail_server: MailServer, mail: Callable[[User], str]) -> None:
    """A letter that is resolved without a mail would tell its operator a lie."""
    User.objects.update(email="")
    ada.refresh_from_db()
    task_id = mail(ada)
    delivered(sent(task_id))
    letter = DeadLetter.objects.get(task_id=task_id, reason="permanent")
    User.objects.update(email="ada@example.com")
    redrive(letter, by="bob")
    delivered(sent(task_id))
    letter.refresh_from_db()
    assert (letter.state, mail_server.recipients) == ("resolved", ["ada@example.com"])
