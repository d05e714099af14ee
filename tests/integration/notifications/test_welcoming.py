"""A new account's welcome: once, whatever is delivered how often."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from apps.notifications.errors import MailRefused, MailServerAway, NoAddress
from apps.notifications.models import Welcome
from apps.notifications.services.welcoming import welcome_request, welcome_send
from apps.notifications.tasks import send_welcome
from config.queues import LOW
from tests.concurrency import at_once
from tests.servers.mail import MailServer
from tests.servers.messages import messages_take

PASSWORD = "correct horse battery staple"


def add_user(admin_client: Client, **fields: str) -> None:
    form = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD, **fields}
    answer = admin_client.post("/admin/auth/user/add/", form)
    assert answer.status_code == 302, answer.content.decode()


@pytest.mark.django_db(transaction=True)
def test_an_account_made_in_the_admin_with_an_address_is_welcomed(admin_client: Client, clean_broker: str) -> None:
    """The admin is where accounts are made, so the address is asked for at once."""
    add_user(admin_client, username="ada", email="ada@example.com")
    add_user(admin_client, username="nobody", email="")
    ada = User.objects.get(username="ada")
    assert [(message.task, message.kwargs) for message in messages_take(LOW)] == [
        ("notifications.send_welcome", {"user_id": ada.pk})
    ]


def test_asking_again_sends_nothing_more(ada: User, clean_broker: str) -> None:
    """An account is new once."""
    assert welcome_request(user=ada)
    assert not welcome_request(user=ada)
    assert len(messages_take(LOW)) == 1


def test_many_deliveries_send_one_mail(ada: User, clean_broker: str, mail_server: MailServer) -> None:
    """Redis may deliver a message again, to another worker, while the first one is still at it."""
    welcome_request(user=ada)
    outcomes = at_once(6, lambda: send_welcome(ada.pk))
    assert outcomes == [None] * 6
    assert mail_server.recipients == ["ada@example.com"]
    assert Welcome.objects.get().sent_at is not None


def test_a_mail_server_that_is_away_leaves_the_welcome_waiting(
    ada: User, clean_broker: str, mail_server: MailServer
) -> None:
    """The retry must find something to do."""
    welcome_request(user=ada)
    mail_server.answers = {"ada@example.com": "451 try again"}
    with pytest.raises(MailServerAway):
        welcome_send(user_id=ada.pk)
    mail_server.answers = {}
    welcome_send(user_id=ada.pk)
    assert mail_server.recipients == ["ada@example.com"]


def test_a_refused_welcome_says_why_and_is_not_tried_again(
    ada: User, clean_broker: str, mail_server: MailServer
) -> None:
    """An address that doesn't exist is not knocked at for ever."""
    welcome_request(user=ada)
    mail_server.answers = {"ada@example.com": "550 no such user"}
    with pytest.raises(MailRefused):
        welcome_send(user_id=ada.pk)
    mail_server.answers = {}
    welcome_send(user_id=ada.pk)
    assert mail_server.mails == []
    assert "no such user" in Welcome.objects.get().refusal


def test_an_account_without_address_can_not_be_welcomed(transactional_db: None) -> None:
    """It is said where it is asked for, not by a failing job."""
    with pytest.raises(NoAddress):
        welcome_request(user=User.objects.create_user("nobody"))


def test_an_account_that_is_gone_is_nothing_to_do(
    transactional_db: None, clean_broker: str, mail_server: MailServer
) -> None:
    """It may be deleted while the message waits."""
    welcome_send(user_id=4711)
    assert mail_server.mails == []
